import { bytes, count } from "../format/numbers";

/** A size; every byte of it on hover. */
export function Bytes({ value }: { value: number | null | undefined }) {
  if (value === null || value === undefined) return null;
  return (
    <span className="tabular whitespace-nowrap" title={`${count(value)} bytes`}>
      {bytes(value)}
    </span>
  );
}
