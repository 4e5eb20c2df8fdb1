import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { CatchupField } from "./CatchupField";
import { scheduleMistake, type ScheduleDraft } from "./schedule";

interface IntervalFieldsProps {
  schedule: Extract<ScheduleDraft, { kind: "every" }>;
  onChange: (schedule: ScheduleDraft) => void;
}

/** An interval that knows no clock. */
export function IntervalFields({ schedule, onChange }: IntervalFieldsProps) {
  return (
    <div className="flex max-w-xl flex-col gap-4">
      <Field
        label="Every"
        error={scheduleMistake(schedule)}
        hint="A number and a unit: 90s, 15m, 1h30m, 2d. It counts real time."
      >
        <Input
          value={schedule.every}
          spellCheck={false}
          autoComplete="off"
          className="max-w-48 font-mono"
          onChange={(event) => onChange({ ...schedule, every: event.target.value })}
        />
      </Field>
      <CatchupField value={schedule.catchup} onChange={(catchup) => onChange({ ...schedule, catchup })} />
    </div>
  );
}
