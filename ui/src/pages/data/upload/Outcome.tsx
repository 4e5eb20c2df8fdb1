import { Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { messageOf } from "../../../api/error";
import type { Collection } from "../../../api/model";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { saveFile } from "../../../components/save-file";
import { bytes, count, plural } from "../../../format/numbers";
import { csvOf, type Failure } from "./told";
import type { Progress } from "./use-upload";

interface OutcomeProps {
  collection: Collection;
  progress: Progress;
  mode: "all" | "each";
}

/** How far an upload is, and what became of its rows. */
export function Outcome({ collection, progress, mode }: OutcomeProps) {
  if (progress.state === "idle") return null;
  if (progress.state === "sending") return <Sending {...progress} />;
  const { failures } = progress;
  return (
    <div className="flex flex-col gap-4">
      {progress.state === "done" ? (
        <Callout
          tone={progress.told.failed > 0 ? "warn" : "ok"}
          title={
            progress.told.failed > 0
              ? `${plural(progress.told.failed, "row")} of ${count(progress.told.rows)} could not be kept`
              : `${plural(progress.told.rows, "row")} uploaded`
          }
          action={
            <Link
              to="/data/$collection"
              params={{ collection: collection.name }}
              className="font-medium text-accent hover:underline"
            >
              Show rows
            </Link>
          }
        >
          {`${count(progress.told.inserted)} added, ${count(progress.told.changed)} changed`}
        </Callout>
      ) : (
        <Callout
          tone="fail"
          title={
            failures.length > 0
              ? `Nothing was kept: ${plural(failures.length, "mistake")}`
              : "The upload was refused"
          }
        >
          {failures.length > 0
            ? "Correct the rows below and upload again, or keep each row that is right."
            : `${messageOf(progress.error)}${mode === "each" ? " Rows of the pieces before are kept." : ""}`}
        </Callout>
      )}
      {failures.length > 0 && <Failures collection={collection} failures={failures} />}
    </div>
  );
}

function Sending({ sent, size }: { sent: number; size: number }) {
  const part = size > 0 ? Math.round((sent / size) * 100) : 100;
  return (
    <div>
      <div
        role="progressbar"
        aria-label="Upload"
        aria-valuenow={part}
        aria-valuemin={0}
        aria-valuemax={100}
        className="h-1.5 overflow-hidden rounded-full bg-line"
      >
        <div className="h-full bg-accent transition-[width]" style={{ width: `${part}%` }} />
      </div>
      <p className="tabular mt-1.5 text-xs text-ink-2" role="status">
        {part < 100
          ? `${bytes(sent)} of ${bytes(size)} sent`
          : "All is sent; the last rows are being written."}
      </p>
    </div>
  );
}

function Failures({ collection, failures }: { collection: Collection; failures: Failure[] }) {
  return (
    <section aria-label="Rows that were refused" className="overflow-hidden rounded-lg border">
      <header className="flex items-center gap-2 border-b py-1.5 pr-1.5 pl-3">
        <h2 className="grow font-semibold">Rows that were refused</h2>
        <Button
          size="small"
          icon={Download}
          onClick={() =>
            saveFile(`${collection.name}-refused.csv`, new Blob([csvOf(failures)], { type: "text/csv" }))
          }
        >
          Download as CSV
        </Button>
      </header>
      <div
        className="max-h-96 overflow-auto"
        tabIndex={0}
        role="group"
        aria-label="Rows that were refused, one by one"
      >
        <table className="w-full text-left">
          <thead className="sticky top-0 bg-canvas">
            <tr className="border-b text-xs text-ink-2">
              <th className="h-8 w-20 pl-3 text-right font-medium">Row</th>
              <th className="w-40 px-3 font-medium">Column</th>
              <th className="px-3 font-medium">What is wrong</th>
            </tr>
          </thead>
          <tbody>
            {failures.map((failure, index) => (
              <tr key={index} className="border-b align-top last:border-b-0">
                <td className="tabular py-1.5 pl-3 text-right">{count(failure.row)}</td>
                <td className="px-3 py-1.5 font-mono text-xs">{failure.column}</td>
                <td className="px-3 py-1.5 wrap-anywhere">{failure.message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
