import { useQuery } from "@tanstack/react-query";
import { allConnectionsOptions, connectorsOptions } from "../../api/queries/connections";
import { allPipelineNamesOptions } from "../../api/queries/new-pipeline";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { Select } from "../../components/Select";
import type { Draft } from "./draft";
import { scheduleMistake, type ScheduleDraft } from "./schedule";

interface TriggerFieldsProps {
  schedule: Extract<ScheduleDraft, { kind: "pipeline" | "dataset" | "file" }>;
  onChange: (schedule: ScheduleDraft) => void;
  draft: Draft;
}

/** What has to happen for the pipeline to run. */
export function TriggerFields({ schedule, onChange, draft }: TriggerFieldsProps) {
  const { data: pipelines } = useQuery(allPipelineNamesOptions);
  const { data: connections } = useQuery(allConnectionsOptions);
  const { data: connectors } = useQuery(connectorsOptions);
  const mistake = scheduleMistake(schedule);
  const holdsFiles = (connector: string | null | undefined) =>
    connectors?.items.some((one) => one.name === connector && one.files) ?? false;
  switch (schedule.kind) {
    case "pipeline":
      return (
        <div className="flex max-w-xl flex-col gap-4">
          <Field label="Pipeline" error={mistake}>
            <Select
              value={schedule.pipeline}
              placeholder="Choose a pipeline"
              onValueChange={(pipeline) => onChange({ ...schedule, pipeline })}
              options={(pipelines ?? [])
                .filter((name) => name !== draft.name)
                .map((name) => ({ value: name, label: name }))}
            />
          </Field>
          <Field label="Its run">
            <Select
              value={schedule.state}
              onValueChange={(state) => onChange({ ...schedule, state })}
              options={[
                { value: "succeeded", label: "has succeeded" },
                { value: "failed", label: "has failed" },
                { value: "ended", label: "has ended, in whatever way" },
              ]}
            />
          </Field>
        </div>
      );
    case "dataset":
      return (
        <div className="max-w-xl">
          <Field
            label="Dataset"
            error={mistake}
            hint="The connection and the stream, such as warehouse.public.orders."
          >
            <Input
              value={schedule.dataset}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => onChange({ ...schedule, dataset: event.target.value })}
            />
          </Field>
        </div>
      );
    case "file":
      return (
        <div className="flex max-w-xl flex-col gap-4">
          <Field label="Connection" error={mistake} hint="A connection that holds files.">
            <Select
              value={schedule.connection}
              placeholder="Choose a connection"
              onValueChange={(connection) => onChange({ ...schedule, connection })}
              options={(connections ?? [])
                .filter((one) => holdsFiles(one.connector))
                .map((one) => ({ value: one.name, label: one.name }))}
            />
          </Field>
          <Field label="Files" hint="A path, a folder, or a pattern such as in/*.csv.">
            <Input
              value={schedule.path}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => onChange({ ...schedule, path: event.target.value })}
            />
          </Field>
        </div>
      );
  }
}
