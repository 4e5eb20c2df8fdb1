import { fieldOf, instantOf, ofField, SPANS } from "../format/spans";
import { CONTROL } from "./field-context";
import { FilterSelect } from "./FilterSelect";

interface SpanFilterProps {
  /** A span that ends now, or an instant; nothing for any time. */
  since: string | undefined;
  until: string | undefined;
  onChange: (span: { since: string | undefined; until: string | undefined }) => void;
}

const BETWEEN = "between";
const OPTIONS = [
  ...Object.entries(SPANS).map(([value, { label }]) => ({ value, label })),
  { value: BETWEEN, label: "Between two times" },
];

/** Filters a list by time: a span that ends now, or from one instant to another. */
export function SpanFilter({ since, until, onChange }: SpanFilterProps) {
  const isSpan = since !== undefined && since in SPANS;
  const isBetween = until !== undefined || (since !== undefined && !isSpan);
  const choose = (value: string | undefined) =>
    onChange({ since: value === BETWEEN ? instantOf("24h", Date.now()) : value, until: undefined });
  return (
    <>
      <FilterSelect
        label="Time"
        value={isBetween ? BETWEEN : since}
        onValueChange={choose}
        options={OPTIONS}
      />
      {isBetween && (
        <>
          <Instant label="From" value={since} onValueChange={(next) => onChange({ since: next, until })} />
          <Instant label="Until" value={until} onValueChange={(next) => onChange({ since, until: next })} />
        </>
      )}
    </>
  );
}

interface InstantProps {
  label: string;
  value: string | undefined;
  onValueChange: (instant: string) => void;
}

function Instant({ label, value, onValueChange }: InstantProps) {
  return (
    <span className="w-50">
      <input
        type="datetime-local"
        aria-label={label}
        title={label}
        value={value ? fieldOf(instantOf(value, Date.now())) : ""}
        onChange={(event) => {
          const instant = ofField(event.target.value);
          // one that is half typed is none, and takes nothing away
          if (instant) onValueChange(instant);
        }}
        className={`${CONTROL} h-8`}
      />
    </span>
  );
}
