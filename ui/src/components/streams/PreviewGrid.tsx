import { useQuery } from "@tanstack/react-query";
import { previewOptions } from "../../api/queries/connection-contents";
import { isNumeric } from "../../format/stream-tree";
import { plural } from "../../format/numbers";
import { Callout } from "../Callout";
import { classes } from "../classes";
import { ErrorState } from "../ErrorState";
import { Skeleton } from "../Skeleton";

interface PreviewGridProps {
  connection: string;
  stream: string;
}

/** The first rows of a stream, with the types of its columns. */
export function PreviewGrid({ connection, stream }: PreviewGridProps) {
  const { data, error, refetch } = useQuery(previewOptions(connection, stream));
  if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <Waiting />;
  return (
    <>
      {data.rejected > 0 && (
        <div className="p-3">
          <Callout tone="warn">
            {`${plural(data.rejected, "row")} could not be represented. A load would stop there, or quarantine them.`}
          </Callout>
        </div>
      )}
      <div
        className="min-h-0 overflow-auto"
        tabIndex={0}
        role="region"
        aria-label={`First rows of ${stream}`}
      >
        <table className="min-w-full border-separate border-spacing-0 text-left">
          <thead>
            <tr>
              {data.columns.map((column) => (
                <th
                  key={column.name}
                  scope="col"
                  className="sticky top-0 border-b bg-canvas px-3 py-1.5 font-medium whitespace-nowrap"
                >
                  <span className={classes("block", isNumeric(column.type) && "text-right")}>
                    {column.name}
                  </span>
                  <span
                    className={classes(
                      "block font-mono text-2xs font-normal text-ink-3",
                      isNumeric(column.type) && "text-right",
                    )}
                  >
                    {column.type}
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.rows.map((row, index) => (
              <tr key={index} className="hover:bg-hover">
                {data.columns.map((column) => (
                  <Cell key={column.name} value={row[column.name]} isRight={isNumeric(column.type)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {data.rows.length === 0 && (
          <p className="px-3 py-6 text-center text-ink-2">This stream has no rows.</p>
        )}
      </div>
    </>
  );
}

function Cell({ value, isRight }: { value: unknown; isRight: boolean }) {
  const isNull = value === null || value === undefined;
  const text = isNull ? "null" : String(value);
  return (
    <td
      title={text.length > 40 ? text : undefined}
      className={classes(
        "h-7 max-w-72 truncate border-b px-3 font-mono text-xs",
        isNull && "text-ink-3 italic",
        isRight && "tabular text-right",
      )}
    >
      {text}
    </td>
  );
}

function Waiting() {
  return (
    <div className="flex flex-col gap-3 p-3" aria-hidden>
      {Array.from({ length: 10 }, (_, row) => (
        <Skeleton key={row} className="h-3.5 w-full" />
      ))}
    </div>
  );
}
