import { useQuery } from "@tanstack/react-query";
import type { DatasetTest } from "../../api/model";
import { failingRowsOptions } from "../../api/queries/run-parts";
import { useAllowed } from "../../pages/pipeline/use-allowed";
import { Callout } from "../Callout";
import { Dialog } from "../Dialog";
import { ErrorState } from "../ErrorState";
import { SkeletonRows } from "../SkeletonRows";
import { plural } from "../../format/numbers";

interface FailingRowsProps {
  test: DatasetTest;
  onClose: () => void;
}

/** A test with the rows that break its rule, as far as they are kept. */
export function FailingRows({ test, onClose }: FailingRowsProps) {
  const denial = useAllowed(test.pipeline, "editor");
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Test ${test.test}`}
      description={`Wanted: ${test.wanted}. ${plural(test.failed, "row")} failed, ${test.kept} of them are kept.`}
      size="large"
    >
      {denial ? (
        <Callout title="Rows hold data, so not everybody may see them">{denial}</Callout>
      ) : test.kept === 0 ? (
        <p className="text-ink-2">No rows are kept of this test.</p>
      ) : (
        <Rows test={test} />
      )}
    </Dialog>
  );
}

function Rows({ test }: { test: DatasetTest }) {
  const { data, error, refetch } = useQuery(failingRowsOptions(test.run, test.task_run, test.test));
  if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <SkeletonRows />;
  const columns = Object.keys(data.items[0]?.row ?? {});
  return (
    <div
      className="max-h-[60vh] overflow-auto rounded-lg border"
      role="region"
      aria-label="Failing rows"
      tabIndex={0}
    >
      <table className="w-full text-left font-mono text-xs">
        <thead>
          <tr className="border-b">
            {columns.map((column) => (
              <th key={column} scope="col" className="px-3 py-1.5 font-medium whitespace-nowrap text-ink-2">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.items.map(({ row }, place) => (
            <tr key={place} className="border-b last:border-b-0">
              {columns.map((column) => (
                <td key={column} className="max-w-96 truncate px-3 py-1.5">
                  {row[column] === null ? <span className="text-ink-3">NULL</span> : String(row[column])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
