import { Checkbox } from "../../components/Checkbox";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { Select } from "../../components/Select";
import { WEEKDAYS, type Rhythm } from "./schedule";

interface RhythmFieldsProps {
  rhythm: Rhythm;
  onChange: (rhythm: Rhythm) => void;
}

const MINUTES = [1, 2, 5, 10, 15, 20, 30];
const FROM_MONDAY = [1, 2, 3, 4, 5, 6, 0];

/** The fields of a simple rhythm. */
export function RhythmFields({ rhythm, onChange }: RhythmFieldsProps) {
  switch (rhythm.every) {
    case "minutes":
      return (
        <Field label="Every">
          <Select
            value={String(rhythm.minutes)}
            onValueChange={(minutes) => onChange({ ...rhythm, minutes: Number(minutes) })}
            options={[...new Set([...MINUTES, rhythm.minutes])]
              .sort((a, b) => a - b)
              .map((minutes) => ({ value: String(minutes), label: `${minutes} min` }))}
          />
        </Field>
      );
    case "hour":
      return (
        <Field label="Minute of the hour">
          <Input
            type="number"
            min={0}
            max={59}
            className="max-w-32"
            value={rhythm.minute}
            onChange={(event) =>
              onChange({ ...rhythm, minute: Math.min(59, Math.max(0, Number(event.target.value))) })
            }
          />
        </Field>
      );
    case "day":
      return <At time={rhythm.time} onChange={(time) => onChange({ ...rhythm, time })} />;
    case "week":
      return (
        <>
          <fieldset>
            <legend className="mb-1 font-medium">Days</legend>
            <div className="flex flex-wrap gap-x-4">
              {FROM_MONDAY.map((day) => (
                <Checkbox
                  key={day}
                  checked={rhythm.days.includes(day)}
                  // one day at least
                  disabled={rhythm.days.length === 1 && rhythm.days.includes(day)}
                  onCheckedChange={(isOn) =>
                    onChange({
                      ...rhythm,
                      days: isOn ? [...rhythm.days, day] : rhythm.days.filter((one) => one !== day),
                    })
                  }
                >
                  {WEEKDAYS[day]}
                </Checkbox>
              ))}
            </div>
          </fieldset>
          <At time={rhythm.time} onChange={(time) => onChange({ ...rhythm, time })} />
        </>
      );
    case "month":
      return (
        <>
          <Field label="Day of the month">
            <Select
              value={rhythm.day}
              onValueChange={(day) => onChange({ ...rhythm, day })}
              options={[
                ...Array.from({ length: 31 }, (_, index) => ({
                  value: String(index + 1),
                  label: String(index + 1),
                })),
                { value: "L", label: "The last one" },
              ]}
            />
          </Field>
          <At time={rhythm.time} onChange={(time) => onChange({ ...rhythm, time })} />
        </>
      );
  }
}

function At({ time, onChange }: { time: string; onChange: (time: string) => void }) {
  return (
    <Field label="At">
      <Input
        type="time"
        className="max-w-32"
        value={time}
        onChange={(event) => event.target.value && onChange(event.target.value)}
      />
    </Field>
  );
}
