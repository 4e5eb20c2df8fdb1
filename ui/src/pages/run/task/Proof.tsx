import { CircleCheck, TriangleAlert } from "lucide-react";
import { Button } from "../../../components/Button";
import { classes } from "../../../components/classes";
import { count, plural } from "../../../format/numbers";
import { holds, type ProofOfSync } from "./proof-of";

interface ProofProps {
  proof: ProofOfSync;
  onRejected: () => void;
}

/** That every row read was written, rejected or there before: as a sum, and by stream. */
export function Proof({ proof, onRejected }: ProofProps) {
  const isWhole = holds(proof);
  return (
    <section aria-label="Proof" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-2 rounded-lg border bg-sunken px-4 py-3">
        <Term value={proof.read} word="read" />
        <Term sign="=" value={proof.written} word="written" tone="text-ok" />
        <Term sign="+" value={proof.rejected} word="rejected" tone={proof.rejected > 0 ? "text-warn" : ""} />
        <Term sign="+" value={proof.repeated} word="repeated" />
        <span
          className={classes(
            "ml-auto flex items-center gap-1.5 self-center",
            isWhole ? "text-ok" : "text-fail",
          )}
        >
          {isWhole ? (
            <CircleCheck className="size-4" aria-hidden />
          ) : (
            <TriangleAlert className="size-4" aria-hidden />
          )}
          {isWhole ? "Adds up" : "Does not add up"}
        </span>
      </div>
      <div className="flex flex-wrap items-center gap-3 text-ink-2">
        {proof.verified !== null && (
          <span>The content of {plural(proof.verified, "row")} was compared after the commit.</span>
        )}
        {proof.rejected > 0 && (
          <Button size="small" onClick={onRejected}>
            See {plural(proof.rejected, "rejected row")}
          </Button>
        )}
      </div>
      {proof.streams && proof.streams.length > 1 && (
        <div className="overflow-x-auto">
          <table className="w-full min-w-96 border-collapse">
            <thead>
              <tr className="border-b text-left text-xs text-ink-2">
                <th scope="col" className="py-1.5 pr-3 font-medium">
                  Stream
                </th>
                {["Read", "Written", "Rejected", "Repeated"].map((name) => (
                  <th key={name} scope="col" className="py-1.5 pl-3 text-right font-medium">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody className="tabular">
              {proof.streams.map((stream) => (
                <tr key={stream.stream} className="border-b">
                  <th scope="row" className="max-w-60 truncate py-1.5 pr-3 text-left font-normal">
                    {stream.stream}
                  </th>
                  <td className="py-1.5 pl-3 text-right">{count(stream.read)}</td>
                  <td className="py-1.5 pl-3 text-right">{count(stream.written)}</td>
                  <td className={classes("py-1.5 pl-3 text-right", stream.rejected > 0 && "text-warn")}>
                    {count(stream.rejected)}
                  </td>
                  <td className="py-1.5 pl-3 text-right">{count(stream.repeated)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

interface TermProps {
  /** What stands between it and the one before; they stay together on one line. */
  sign?: string;
  value: number;
  word: string;
  tone?: string;
}

function Term({ sign, value, word, tone = "" }: TermProps) {
  return (
    <span className="flex items-baseline gap-x-3">
      {sign && <span className="text-lg text-ink-3">{sign}</span>}
      <span className="flex flex-col">
        <span className={classes("tabular text-lg font-semibold", tone)}>{count(value)}</span>
        <span className="text-xs text-ink-2">{word}</span>
      </span>
    </span>
  );
}
