import { useQuery } from "@tanstack/react-query";
import { settingsOptions } from "../../api/queries/admin";
import { Bytes } from "../../components/Bytes";
import { ErrorState } from "../../components/ErrorState";
import { Panel } from "../../components/Panel";
import { Skeleton } from "../../components/Skeleton";
import { duration } from "../../format/durations";
import { count } from "../../format/numbers";
import { Facts } from "./Facts";

const DATABASES: Record<string, string> = { sqlite: "SQLite", postgres: "PostgreSQL" };

/** What is configured, to be read: it is changed in `levada.yaml` and on the command line. */
export function SettingsSection() {
  const { data, error, refetch } = useQuery(settingsOptions);
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton className="m-4 h-96 max-w-4xl rounded-lg sm:m-6" />;
  const { store, limits, retention } = data;
  return (
    <div
      role="region"
      aria-label="Settings"
      tabIndex={0}
      className="min-h-0 grow overflow-y-auto -outline-offset-2"
    >
      <div className="flex max-w-4xl flex-col gap-4 p-4 sm:p-6">
        <p className="text-ink-2">
          These are read only. The project&apos;s are changed in{" "}
          <code className="font-mono text-xs">levada.yaml</code>, the server&apos;s when it is started.
        </p>
        <Panel title="Server">
          <Facts
            facts={[
              ["Version", data.version],
              ["Project", data.project ?? "none"],
              [
                "Project folder",
                <code key="p" className="font-mono text-xs">
                  {data.project_folder}
                </code>,
              ],
              [
                "Folder of logs and files",
                <code key="d" className="font-mono text-xs">
                  {data.data_folder}
                </code>,
              ],
              [
                "Metadata store",
                `${DATABASES[store.database] ?? store.database}, tables of version ${store.version}`,
              ],
              ["Programs in pipelines", data.commands ? "allowed" : "not allowed"],
            ]}
          />
        </Panel>
        <Panel title="Kept">
          <Facts
            facts={[
              ["Runs and their history", days(retention.runs_s)],
              ["Logs", days(retention.logs_s)],
              ["Files of runs", days(retention.artifacts_s)],
              ["Runs of one pipeline", `${count(retention.runs_max)} at most`],
            ]}
          />
        </Panel>
        <Panel title="Limits of requests">
          <Facts
            facts={[
              ["Body", <Bytes key="b" value={limits.body_bytes_max} />],
              ["Time of an operation", duration(limits.time_max_s * 1000)],
              ["Of one caller", `${count(limits.requests_per_caller)} a second`],
              ["Of one address, without a credential", `${count(limits.requests_per_address)} a second`],
            ]}
          />
        </Panel>
      </div>
    </div>
  );
}

function days(seconds: number): string {
  return duration(seconds * 1000);
}
