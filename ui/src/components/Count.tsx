import { compact, count } from "../format/numbers";

interface CountProps {
  value: number | null | undefined;
  /** For narrow places: `1.2M`, with all digits on hover. */
  short?: boolean;
}

/** A number with its thousands grouped. */
export function Count({ value, short }: CountProps) {
  if (value === null || value === undefined) return null;
  const text = count(value);
  return short ? (
    <span className="tabular" title={text}>
      {compact(value)}
    </span>
  ) : (
    <span className="tabular">{text}</span>
  );
}
