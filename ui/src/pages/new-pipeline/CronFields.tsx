import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { Select } from "../../components/Select";
import { CatchupField } from "./CatchupField";
import { RhythmFields } from "./RhythmFields";
import { cronOf, rhythmOf, scheduleMistake, type Rhythm, type ScheduleDraft } from "./schedule";
import { useState } from "react";

interface CronFieldsProps {
  schedule: Extract<ScheduleDraft, { kind: "cron" }>;
  onChange: (schedule: ScheduleDraft) => void;
}

type Every = Rhythm["every"] | "custom";

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone")];
const STARTS: Record<Rhythm["every"], Rhythm> = {
  minutes: { every: "minutes", minutes: 15 },
  hour: { every: "hour", minute: 0 },
  day: { every: "day", time: "06:00" },
  week: { every: "week", days: [1, 2, 3, 4, 5], time: "06:00" },
  month: { every: "month", day: "1", time: "06:00" },
};

/** Times on a clock: chosen, or as a cron expression. Both always say the same. */
export function CronFields({ schedule, onChange }: CronFieldsProps) {
  const rhythm = rhythmOf(schedule.cron);
  const [isCustom, setCustom] = useState(!rhythm);
  const every: Every = isCustom || !rhythm ? "custom" : rhythm.every;
  const setCron = (cron: string) => onChange({ ...schedule, cron });
  return (
    <div className="flex max-w-xl flex-col gap-4">
      <Field label="Repeats">
        <Select
          value={every}
          onValueChange={(next) => {
            setCustom(next === "custom");
            if (next !== "custom") setCron(cronOf(STARTS[next as Rhythm["every"]]));
          }}
          options={[
            { value: "minutes", label: "Every few minutes" },
            { value: "hour", label: "Hourly" },
            { value: "day", label: "Daily" },
            { value: "week", label: "On days of the week" },
            { value: "month", label: "Monthly" },
            { value: "custom", label: "Cron expression" },
          ]}
        />
      </Field>
      {!isCustom && rhythm && <RhythmFields rhythm={rhythm} onChange={(next) => setCron(cronOf(next))} />}
      <Field
        label="Cron expression"
        error={scheduleMistake(schedule)}
        hint="Minute, hour, day of month, month, day of week; seconds first if there are six; or a word such as @daily."
      >
        <Input
          value={schedule.cron}
          spellCheck={false}
          autoComplete="off"
          className="font-mono"
          onChange={(event) => {
            setCustom(!rhythmOf(event.target.value) || isCustom);
            setCron(event.target.value);
          }}
        />
      </Field>
      <Field label="Time zone" hint="The clock that the times mean.">
        <Input
          value={schedule.timezone}
          list="time-zones"
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => onChange({ ...schedule, timezone: event.target.value })}
        />
      </Field>
      <datalist id="time-zones">
        {ZONES.map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      <CatchupField value={schedule.catchup} onChange={(catchup) => onChange({ ...schedule, catchup })} />
    </div>
  );
}
