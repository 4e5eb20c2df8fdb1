import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Minus, Pencil, Plus } from "lucide-react";
import type { DatasetSchema } from "../../api/model";
import { datasetSchemasOptions } from "../../api/queries/datasets";
import { Button } from "../../components/Button";
import { classes } from "../../components/classes";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { SkeletonRows } from "../../components/SkeletonRows";
import { Time } from "../../components/Time";
import { usePagedRows } from "../../components/use-paged-rows";
import { plural } from "../../format/numbers";
import { changesBetween, type SchemaChange } from "./schema-changes";

const LOOKS = {
  added: { icon: Plus, word: "new", tone: "text-ok" },
  removed: { icon: Minus, word: "gone", tone: "text-fail" },
  changed: { icon: Pencil, word: "other type", tone: "text-warn" },
} as const;

/** How the columns of a dataset changed, the newest version first. */
export function HistoryPart({ name }: { name: string }) {
  const list = usePagedRows<DatasetSchema>(useInfiniteQuery(datasetSchemasOptions(name)));
  const { rows, error, onRetry, hasMore, isLoadingMore, onMore } = list;
  if (error && !rows) return <ErrorState error={error} onRetry={onRetry} />;
  if (!rows) return <SkeletonRows />;
  if (rows.length === 0)
    return <EmptyState title="No run has seen its columns">They are kept from the first time on.</EmptyState>;
  return (
    <ol aria-label="Versions of the columns" className="overflow-y-auto">
      {rows.map((schema, index) => (
        <li key={schema.version} className="border-b px-4 py-3 sm:px-6">
          <p className="flex flex-wrap items-baseline gap-x-3">
            <span className="font-medium">Version {schema.version}</span>
            <span className="text-xs text-ink-2">
              {plural(schema.columns.length + schema.left_out, "column")}, first seen{" "}
              <Time at={schema.seen_at} /> by{" "}
              {schema.run === null || schema.run === undefined ? (
                "others"
              ) : (
                <Link to="/runs/$id" params={{ id: String(schema.run) }} className="underline">
                  run {schema.run}
                </Link>
              )}
            </span>
          </p>
          <Changes changes={changesBetween(rows[index + 1], schema)} isFirst={schema.version === 1} />
        </li>
      ))}
      {hasMore && (
        <li className="flex justify-center py-3">
          <Button busy={isLoadingMore} onClick={() => void onMore()}>
            Show more
          </Button>
        </li>
      )}
    </ol>
  );
}

function Changes({ changes, isFirst }: { changes: SchemaChange[]; isFirst: boolean }) {
  if (changes.length === 0)
    return (
      <p className="mt-1 text-xs text-ink-3">{isFirst ? "The first that was seen." : "Another order."}</p>
    );
  return (
    <ul className="mt-1 flex flex-col gap-0.5">
      {changes.map(({ kind, column, type }) => {
        const { icon: Icon, word, tone } = LOOKS[kind];
        return (
          <li key={`${kind} ${column}`} className="flex flex-wrap items-center gap-x-2">
            <span className={classes("flex items-center gap-1 text-xs", tone)}>
              <Icon className="size-3" aria-hidden />
              {word}
            </span>
            <span className="font-medium wrap-anywhere">{column}</span>
            <span className="font-mono text-xs text-ink-2 wrap-anywhere">{type}</span>
          </li>
        );
      })}
    </ul>
  );
}
