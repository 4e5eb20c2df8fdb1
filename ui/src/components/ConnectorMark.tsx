interface ConnectorMarkProps {
  /** The connector's name; null where it is not known. */
  connector: string | null | undefined;
}

/** A small mark for a kind of system: the letters of its name, the same for every connector. */
export function ConnectorMark({ connector }: ConnectorMarkProps) {
  return (
    <span
      aria-hidden
      title={connector ?? undefined}
      className="inline-flex h-[18px] w-6 shrink-0 items-center justify-center rounded-sm border border-line-strong bg-sunken text-[10px] leading-none font-semibold text-ink-2"
    >
      {letters(connector ?? "?")}
    </span>
  );
}

function letters(name: string): string {
  const text = name.replaceAll(/[^a-z0-9?]/gi, "");
  return text.charAt(0).toUpperCase() + text.slice(1, 2);
}
