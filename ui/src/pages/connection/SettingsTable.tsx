import type { Connection } from "../../api/model";

/** The settings of a connection for those who may not change them; secrets stand as `***`. */
export function SettingsTable({ connection }: { connection: Connection }) {
  const settings = connection.url ? { url: connection.url } : (connection.settings ?? {});
  return (
    <dl className="grid max-w-xl grid-cols-[max-content_minmax(0,1fr)] gap-x-6 gap-y-1.5">
      <dt className="text-ink-2">type</dt>
      <dd className="font-mono text-xs">{connection.connector ?? "not known"}</dd>
      {Object.entries(settings).map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-ink-2">{name}</dt>
          <dd className="font-mono text-xs wrap-anywhere">
            {typeof value === "string" ? value : JSON.stringify(value)}
          </dd>
        </div>
      ))}
    </dl>
  );
}
