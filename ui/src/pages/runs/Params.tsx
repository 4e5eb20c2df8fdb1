/** The parameters of a run, in one line. */
export function Params({ params }: { params: Record<string, unknown> }) {
  const entries = Object.entries(params);
  if (entries.length === 0) return null;
  const text = entries.map(([name, value]) => `${name}=${String(value)}`).join("  ");
  return (
    <span className="font-mono text-xs text-ink-2" title={text}>
      {text}
    </span>
  );
}
