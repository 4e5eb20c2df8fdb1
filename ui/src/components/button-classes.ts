import { classes } from "./classes";

export interface ButtonLook {
  /** `primary` for the one thing that a page is for; `danger` for what destroys. */
  look?: "primary" | "secondary" | "ghost" | "danger" | undefined;
  size?: "small" | "medium" | "large" | undefined;
}

const LOOKS = {
  primary: "bg-accent text-on-accent border-transparent not-aria-disabled:hover:bg-accent-strong",
  secondary: "bg-raised text-ink border-line-strong not-aria-disabled:hover:bg-hover",
  ghost: "text-ink-2 border-transparent not-aria-disabled:hover:bg-hover not-aria-disabled:hover:text-ink",
  danger: "bg-danger text-[#fff] border-transparent not-aria-disabled:hover:brightness-90",
};

const SIZES = {
  small: "h-6 px-2 text-xs gap-1 rounded-sm",
  medium: "h-8 px-3 text-sm gap-1.5 rounded",
  large: "h-9 px-4 text-base gap-2 rounded",
};

/** The looks of buttons and of links that look like them. */
export function buttonClasses({ look = "secondary", size = "medium" }: ButtonLook, more?: string): string {
  return classes(
    "inline-flex shrink-0 items-center justify-center border font-medium whitespace-nowrap select-none",
    "transition-colors duration-100 aria-disabled:opacity-50",
    LOOKS[look],
    SIZES[size],
    more,
  );
}
