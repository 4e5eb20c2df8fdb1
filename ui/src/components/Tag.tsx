/** A tag of a pipeline. */
export function Tag({ children }: { children: string }) {
  return (
    <span className="inline-block max-w-32 truncate rounded-sm bg-sunken px-1.5 text-2xs leading-4 text-ink-2">
      {children}
    </span>
  );
}
