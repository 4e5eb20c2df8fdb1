import { Link } from "@tanstack/react-router";
import { CopyButton } from "../../../components/CopyButton";

/** What a task handed on to those after it. */
export function Outputs({ outputs }: { outputs: unknown }) {
  if (typeof outputs !== "object" || outputs === null || Object.keys(outputs).length === 0) return null;
  const { run } = outputs as { run?: unknown };
  return (
    <section aria-label="Outputs" className="flex flex-col gap-2">
      <div className="flex items-center gap-2">
        <h3 className="font-semibold">Outputs</h3>
        <CopyButton text={JSON.stringify(outputs, null, 2)} what="the outputs" />
      </div>
      {typeof run === "number" && (
        <Link to="/runs/$id" params={{ id: String(run) }} className="text-accent hover:underline">
          Go to run {run}
        </Link>
      )}
      <dl className="overflow-hidden rounded-lg border">
        {Object.entries(outputs).map(([name, value]) => (
          <div
            key={name}
            className="grid gap-x-4 border-b px-3 py-1.5 last:border-b-0 sm:grid-cols-[minmax(96px,180px)_1fr]"
          >
            <dt className="font-mono text-xs/[18px] text-ink-2 wrap-anywhere">{name}</dt>
            <dd className="max-h-48 overflow-y-auto font-mono text-xs/[18px] wrap-anywhere whitespace-pre-wrap">
              {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
