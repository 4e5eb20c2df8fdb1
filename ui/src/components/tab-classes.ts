/** The row of tabs; it scrolls where it is too narrow. */
export const TAB_LIST = "-mb-px flex gap-4 overflow-x-auto [scrollbar-width:none]";

/** One tab. */
export const TAB =
  "shrink-0 border-b-2 border-transparent px-0.5 py-2 font-medium text-ink-2 -outline-offset-2 hover:text-ink " +
  "data-[state=active]:border-accent data-[state=active]:text-ink";
