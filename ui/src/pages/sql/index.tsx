import { useMutation, useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { Ban, Download, Play, Save } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { ApiError, messageOf } from "../../api/error";
import type { QueryLimits } from "../../api/model";
import { downloadAnswer, queryLimitsOptions, type FILES } from "../../api/queries/sql";
import { Button } from "../../components/Button";
import { Code } from "../../components/Code";
import { Menu } from "../../components/Menu";
import { PageHeader } from "../../components/PageHeader";
import { saveFile } from "../../components/save-file";
import { Select } from "../../components/Select";
import { toast } from "../../components/toasts";
import { useUrlFilters } from "../../components/use-url-filters";
import { bytes, count } from "../../format/numbers";
import { completions } from "./complete";
import { diagnosticsOf } from "./diagnostics";
import { inAddress, keepQuery, lastQuery } from "./last-query";
import { Outcome } from "./Outcome";
import { ParamFields } from "./ParamFields";
import { paramsOf, valueOf } from "./params";
import { TaskDialog } from "./TaskDialog";
import { useQueryRun } from "./use-query-run";
import { useWorld } from "./use-world";

const LIMITS = [100, 1_000, 10_000];

/** Queries over the streams of all connections: written here, run, looked at, taken away, and made a task. */
export default function SqlPage() {
  const { q } = useSearch({ from: "/inside/sql" });
  const [, setSearch] = useUrlFilters<"q">();
  const [sql, setSql] = useState(() => q ?? lastQuery());
  const [values, setValues] = useState<Record<string, string>>({});
  const [limit, setLimit] = useState(1_000);
  const [isSaving, setSaving] = useState(false);
  const { run, start, cancel } = useQueryRun();
  const { data: limits } = useQuery(queryLimitsOptions);
  const world = useWorld();
  const complete = useMemo(() => completions(world), [world]);
  const names = useMemo(() => paramsOf(sql), [sql]);
  const isRunning = run.state === "running";
  const mistakes =
    run.state === "failed" && run.sql === sql && run.error instanceof ApiError && run.error.mistakes;
  const diagnostics = useMemo(() => diagnosticsOf(sql, mistakes || []), [sql, mistakes]);
  const query = { sql, params: Object.fromEntries(names.map((name) => [name, valueOf(values[name] ?? "")])) };
  const nothing = sql.trim() ? undefined : "Write a query first.";

  const submit = () => {
    if (nothing) return;
    keepQuery(sql);
    setSearch({ q: inAddress(sql) });
    void start(query, limit);
  };
  const download = useDownload(query);

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title="SQL"
        summary={limits ? told(limits) : ""}
        actions={
          <>
            <Select
              aria-label="Rows shown"
              value={String(limit)}
              onValueChange={(value) => setLimit(Number(value))}
              options={LIMITS.filter((rows) => rows <= (limits?.rows_max ?? rows)).map((rows) => ({
                value: String(rows),
                label: `${count(rows)} rows`,
              }))}
            />
            <Button icon={Save} reason={nothing} onClick={() => setSaving(true)}>
              Save as task
            </Button>
            {download.isPending ? (
              <Button icon={Ban} onClick={download.cancel}>
                Cancel export
              </Button>
            ) : (
              <Menu
                trigger={
                  <Button icon={Download} reason={nothing}>
                    Export
                  </Button>
                }
                {...(limits && {
                  heading: `Up to ${count(limits.file_rows_max)} rows and ${bytes(limits.file_bytes_max)}`,
                })}
                items={[
                  { label: "All rows as CSV", onSelect: () => download.start("csv") },
                  { label: "All rows as Parquet", onSelect: () => download.start("parquet") },
                ]}
              />
            )}
            {isRunning && (
              <Button icon={Ban} onClick={cancel}>
                Cancel
              </Button>
            )}
            <Button look="primary" icon={Play} reason={nothing} busy={isRunning} onClick={submit}>
              Run
            </Button>
          </>
        }
      />
      <div className="h-1/3 min-h-32 shrink-0 [&>*]:h-full [&>*]:rounded-none [&>*]:border-0">
        <Code
          value={sql}
          language="sql"
          label="Query"
          onChange={setSql}
          onSubmit={submit}
          complete={complete}
          diagnostics={diagnostics}
          height="100%"
        />
      </div>
      {names.length > 0 && (
        <ParamFields names={names} values={values} onChange={setValues} onSubmit={submit} />
      )}
      <div className="flex min-h-48 grow flex-col border-t">
        <Outcome run={run} hasConnections={world.connections.length > 0} />
      </div>
      {isSaving && (
        <TaskDialog query={query} connections={world.connections} onClose={() => setSaving(false)} />
      )}
    </div>
  );
}

/** The whole answer, saved by the browser; only one at a time. To leave the page ends it. */
function useDownload(query: Parameters<typeof downloadAnswer>[0]) {
  const open = useRef<AbortController | null>(null);
  useEffect(() => () => open.current?.abort(), []);
  const { mutate, isPending } = useMutation({
    mutationFn: async (format: keyof typeof FILES) => {
      const own = new AbortController();
      open.current = own;
      try {
        saveFile(`query.${format}`, await downloadAnswer(query, format, own.signal));
      } catch (error) {
        if (!own.signal.aborted) throw error;
      }
    },
    onError: (failure) => toast(messageOf(failure), { tone: "fail" }),
  });
  return { isPending, start: mutate, cancel: () => open.current?.abort() };
}

function told({ time_max_s, memory_bytes, rows_max }: QueryLimits): string {
  return `A query has ${time_max_s} s and ${bytes(memory_bytes)} of memory, and shows up to ${count(rows_max)} rows.`;
}
