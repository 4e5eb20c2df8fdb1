import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../../api/error";
import { mistakesByField } from "../../../api/mistakes";
import { pipelineOptions } from "../../../api/queries/pipelines";
import { useStartRun } from "../../../api/queries/runs";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Checkbox } from "../../../components/Checkbox";
import { CopyButton } from "../../../components/CopyButton";
import { Dialog } from "../../../components/Dialog";
import { ParamsForm } from "../../../components/params/ParamsForm";
import { paramMistakes, paramValues } from "../../../components/params/check-params";
import { Skeleton } from "../../../components/Skeleton";
import { toast } from "../../../components/toasts";
import { useOutline } from "../use-outline";

interface StartDialogProps {
  pipeline: string;
  /** Values to begin with. */
  params?: Record<string, unknown>;
  onClose: () => void;
}

/** Starts a run: with parameters, and with all tasks or some of them. */
export function StartDialog({ pipeline, params = {}, onClose }: StartDialogProps) {
  const { data: document } = useQuery(pipelineOptions(pipeline));
  const outline = useOutline(document?.data.text);
  const start = useStartRun();
  const navigate = useNavigate();
  const [values, setValues] = useState(() =>
    Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
  );
  const [left, setLeft] = useState<Set<string>>(new Set());
  const [wasTried, setTried] = useState(false);
  const tasks = outline?.tasks.filter((task) => !task.hook).map((task) => task.name) ?? [];
  const known = outline?.params ?? [];
  const wrong = paramMistakes(known, values);
  const mistakes = mistakesByField(
    start.error,
    known.map((param) => param.name),
  );
  const chosen = left.size > 0 ? tasks.filter((task) => !left.has(task)) : [];

  const send = () => {
    setTried(true);
    if (Object.keys(wrong).length > 0 || start.isPending) return;
    start.mutate(
      { pipeline, params: paramValues(known, values), ...(chosen.length > 0 && { tasks: chosen }) },
      {
        onSuccess: (run) => {
          toast(`Run ${run.id} was started.`, { tone: "ok" });
          onClose();
          void navigate({ to: "/runs/$id", params: { id: String(run.id) } });
        },
      },
    );
  };
  const command = [
    `levada start ${pipeline}`,
    ...Object.entries(values).map(([name, value]) => `--param ${name}=${value}`),
    ...chosen.map((task) => `--task ${task}`),
  ].join(" ");

  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Run ${pipeline}`}
      footer={
        <>
          <CopyButton text={command} what="the command" withWords size="medium" />
          <span className="grow" />
          <Button onClick={onClose}>Close</Button>
          <Button
            look="primary"
            icon={Play}
            busy={start.isPending}
            disabled={!outline || left.size === tasks.length}
            onClick={send}
          >
            Run now
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4 pb-2"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        {outline ? (
          <ParamsForm
            params={known}
            values={values}
            onChange={setValues}
            errors={{ ...(wasTried ? wrong : {}), ...mistakes }}
          />
        ) : (
          <Skeleton className="h-14 w-full" />
        )}
        {outline && known.length === 0 && <p className="text-ink-2">This pipeline takes no parameters.</p>}
        {tasks.length > 1 && (
          <details>
            <summary className="font-medium text-ink-2">
              {left.size === 0
                ? `All ${tasks.length} tasks`
                : `${tasks.length - left.size} of ${tasks.length} tasks`}
            </summary>
            <div className="mt-2 flex max-h-56 flex-col overflow-y-auto">
              {tasks.map((task) => (
                <Checkbox
                  key={task}
                  checked={!left.has(task)}
                  onCheckedChange={(isIn) => {
                    const next = new Set(left);
                    if (isIn) next.delete(task);
                    else next.add(task);
                    setLeft(next);
                  }}
                >
                  {task}
                </Checkbox>
              ))}
            </div>
          </details>
        )}
        {start.error && (mistakes[""] !== undefined || Object.keys(mistakes).length === 0) && (
          <Callout tone="fail">{mistakes[""] ?? messageOf(start.error)}</Callout>
        )}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}
