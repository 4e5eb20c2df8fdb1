import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { History } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../../api/error";
import { pipelineOptions } from "../../../api/queries/pipelines";
import { backfillPlanOptions, useMakeBackfill, type BackfillOf } from "../../../api/queries/schedules";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { Checkbox } from "../../../components/Checkbox";
import { CopyButton } from "../../../components/CopyButton";
import { Dialog } from "../../../components/Dialog";
import { Field } from "../../../components/Field";
import { Input } from "../../../components/Input";
import { ParamsForm } from "../../../components/params/ParamsForm";
import { paramMistakes, paramValues } from "../../../components/params/check-params";
import { Select } from "../../../components/Select";
import { toast } from "../../../components/toasts";
import { useDebounced } from "../../../components/use-debounced";
import { plural } from "../../../format/numbers";
import { useOutline } from "../use-outline";

const EVERY = [
  { value: "hour", label: "Each hour" },
  { value: "day", label: "Each day" },
  { value: "week", label: "Each week" },
  { value: "month", label: "Each month" },
];
const ONLY = [
  { value: "all", label: "Every instant" },
  { value: "missing", label: "Only those without a run" },
  { value: "failed", label: "Only those whose last run failed" },
];
const SHOWN = 6;

/** Makes one run for each instant of a range of time; says first which. */
export function BackfillDialog({ pipeline, onClose }: { pipeline: string; onClose: () => void }) {
  const { data: document } = useQuery(pipelineOptions(pipeline));
  const outline = useOutline(document?.data.text);
  const make = useMakeBackfill(pipeline);
  const navigate = useNavigate();
  const [from, setFrom] = useState(daysAgo(7));
  const [to, setTo] = useState(daysAgo(1));
  const [every, setEvery] = useState("");
  const [only, setOnly] = useState<BackfillOf["only"]>("all");
  const [reverse, setReverse] = useState(false);
  const [concurrency, setConcurrency] = useState("");
  const [values, setValues] = useState<Record<string, string>>({});
  const params = outline?.params ?? [];
  const wrong = paramMistakes(params, values);
  const isOrdered = from !== "" && to !== "" && from <= to;
  const backfill: BackfillOf = {
    from,
    to,
    ...(every && { every: every as NonNullable<BackfillOf["every"]> }),
    only,
    reverse,
    ...(concurrency && { concurrency: Number(concurrency) }),
    params: paramValues(params, values),
  };
  const settled = useDebounced(JSON.stringify(backfill), 300);
  const plan = useQuery({
    ...backfillPlanOptions(pipeline, JSON.parse(settled) as BackfillOf),
    enabled: isOrdered && Object.keys(wrong).length === 0,
  });
  const total = plan.data?.total;
  const send = () =>
    make.mutate(backfill, {
      onSuccess: (made) => {
        toast(`The backfill makes ${plural(made.total, "run")}.`, { tone: "ok" });
        onClose();
        void navigate({ to: "/runs", search: { backfill: String(made.backfill?.id) } });
      },
    });

  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Backfill ${pipeline}`}
      description="One run for each instant; tasks find theirs in ${run.fire_time} and ${run.date}."
      size="medium"
      footer={
        <>
          <CopyButton text={commandOf(pipeline, backfill)} what="the command" withWords size="medium" />
          <span className="grow" />
          <Button onClick={onClose}>Close</Button>
          <Button
            look="primary"
            icon={History}
            busy={make.isPending}
            disabled={!total || !isOrdered}
            onClick={send}
          >
            {total ? `Make ${plural(total, "run")}` : "Make runs"}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="From">
            <Input type="date" value={from} onChange={(event) => setFrom(event.target.value)} />
          </Field>
          <Field label="To" hint="Included." error={isOrdered ? undefined : "It comes before the start."}>
            <Input type="date" value={to} onChange={(event) => setTo(event.target.value)} />
          </Field>
          <Field label="A run for">
            <Select
              value={every}
              onValueChange={setEvery}
              options={EVERY}
              placeholder="Each fire of the schedule"
            />
          </Field>
          <Field label="Which">
            <Select
              value={only}
              onValueChange={(next) => setOnly(next as BackfillOf["only"])}
              options={ONLY}
            />
          </Field>
          <Field label="Runs at once" optional>
            <Input
              type="number"
              min={1}
              step={1}
              placeholder="1"
              value={concurrency}
              onChange={(event) => setConcurrency(event.target.value)}
            />
          </Field>
          <div className="self-end pb-1">
            <Checkbox checked={reverse} onCheckedChange={setReverse}>
              The latest first
            </Checkbox>
          </div>
        </div>
        <ParamsForm params={params} values={values} onChange={setValues} errors={wrong} />
        <div role="status" className="min-h-16 rounded-lg border bg-sunken px-3 py-2">
          {plan.error ? (
            <span className="text-fail">{messageOf(plan.error)}</span>
          ) : plan.data ? (
            <>
              <p className="font-medium">
                {plan.data.total === 0 ? "No instant needs a run" : plural(plan.data.total, "run")}
              </p>
              <p className="tabular text-xs text-ink-2">{instants(plan.data.fire_times, plan.data.total)}</p>
            </>
          ) : (
            <span className="text-ink-2">Counting the runs</span>
          )}
        </div>
        {make.error && <Callout tone="fail">{messageOf(make.error)}</Callout>}
      </div>
    </Dialog>
  );
}

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
}

/** The first and the last of many instants. */
function instants(times: string[], total: number): string {
  const plain = times.map((time) => time.slice(0, 16).replace("T", " ").replace(" 00:00", ""));
  if (plain.length <= SHOWN) return plain.join(", ");
  const last = total > plain.length ? "…" : `…, ${plain.at(-1) ?? ""}`;
  return `${plain.slice(0, SHOWN - 1).join(", ")}, ${last} (UTC)`;
}

function commandOf(
  pipeline: string,
  { from, to, every, only, reverse, concurrency, params }: BackfillOf,
): string {
  return [
    `levada backfill ${pipeline} --from ${from} --to ${to}`,
    every && `--every ${every}`,
    only === "missing" && "--only-missing",
    only === "failed" && "--only-failed",
    reverse && "--reverse",
    concurrency && `--concurrency ${concurrency}`,
    ...Object.entries(params).map(([name, value]) => `--param ${name}=${String(value)}`),
  ]
    .filter(Boolean)
    .join(" ");
}
