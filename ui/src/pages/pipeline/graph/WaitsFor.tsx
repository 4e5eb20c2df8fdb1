import { useState } from "react";
import { Checkbox } from "../../../components/Checkbox";
import { SearchInput } from "../../../components/SearchInput";
import { connectProblem, type GraphTask } from "../../../components/task-graph/model";
import { plural } from "../../../format/numbers";

interface WaitsForProps {
  tasks: GraphTask[];
  task: string;
  /** What it waits for. */
  after: string[];
  onChange: (after: string[]) => void;
}

/** Of more tasks than this, those that are waited for and some that fit a search are shown. */
const SHOWN_MAX = 40;

/** The tasks that one waits for; what would be a circle cannot be chosen, and says why. */
export function WaitsFor({ tasks, task, after, onChange }: WaitsForProps) {
  const [text, setText] = useState("");
  const others = tasks.filter((other) => other.name !== task && !other.hook);
  const isLong = others.length > SHOWN_MAX;
  const fits = (name: string) => name.toLowerCase().includes(text.toLowerCase());
  const shown = isLong
    ? [
        ...others.filter(({ name }) => after.includes(name)),
        ...others.filter(({ name }) => !after.includes(name) && fits(name)).slice(0, SHOWN_MAX),
      ]
    : others;
  return (
    <fieldset>
      <legend className="mb-1 font-medium">Waits for</legend>
      {others.length === 0 && <p className="text-xs text-ink-3">There is no other task.</p>}
      {isLong && (
        <SearchInput
          label={`Search ${plural(others.length, "other task")}`}
          value={text}
          onValueChange={setText}
          className="mb-2"
        />
      )}
      {shown.map(({ name }) => {
        const isIn = after.includes(name);
        const problem = isIn ? undefined : connectProblem(tasks, name, task);
        return (
          <Checkbox
            key={name}
            checked={isIn}
            disabled={problem !== undefined}
            onCheckedChange={(next) =>
              onChange(next ? [...after, name] : after.filter((one) => one !== name))
            }
          >
            {name}
            {problem && <span className="block text-xs text-ink-3">{problem}</span>}
          </Checkbox>
        );
      })}
    </fieldset>
  );
}
