import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useId, useState } from "react";
import type { Connection } from "../../api/model";
import { allConnectionsOptions, connectorsOptions } from "../../api/queries/connections";
import { Button } from "../../components/Button";
import { classes } from "../../components/classes";
import { ConnectorMark } from "../../components/ConnectorMark";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { SearchInput } from "../../components/SearchInput";
import { Skeleton } from "../../components/Skeleton";
import { NewConnectionDialog } from "./NewConnectionDialog";

interface ConnectionChoiceProps {
  /** What is asked: "Where does the data come from?" */
  question: string;
  value: string | null;
  onChange: (name: string) => void;
  /** Why one cannot be chosen. */
  unfit: (connection: Connection) => string | undefined;
  /** What is to be known of one that can. */
  remark?: (connection: Connection) => string | undefined;
}

/** One of the connections of the project, or one that is made here. */
export function ConnectionChoice({ question, value, onChange, unfit, remark }: ConnectionChoiceProps) {
  const group = useId();
  const [search, setSearch] = useState("");
  const [isNew, setNew] = useState(false);
  const { data, error, refetch } = useQuery(allConnectionsOptions);
  const { data: connectors } = useQuery(connectorsOptions);
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  const words = search.trim().toLowerCase();
  const shown = data?.filter((one) =>
    [one.name, one.connector, one.address].some((text) => text?.toLowerCase().includes(words)),
  );

  return (
    <div className="flex flex-col gap-4 p-4 sm:p-6">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="grow text-lg font-semibold">{question}</h2>
        {(data?.length ?? 0) > 6 && (
          <SearchInput
            label="Search connections"
            value={search}
            onValueChange={setSearch}
            className="w-full sm:w-60"
          />
        )}
        <Button icon={Plus} onClick={() => setNew(true)}>
          New connection
        </Button>
      </div>
      {shown?.length === 0 && (
        <EmptyState
          title={words ? "No connection is like that" : "There is no connection yet"}
          action={
            !words && (
              <Button look="primary" icon={Plus} onClick={() => setNew(true)}>
                New connection
              </Button>
            )
          }
        >
          {words
            ? "Search looks at names, kinds and addresses."
            : "Say how to reach a database, a folder or a bucket."}
        </EmptyState>
      )}
      <fieldset className="grid min-w-0 grid-cols-1 gap-3 sm:grid-cols-[repeat(auto-fill,minmax(260px,1fr))]">
        <legend className="sr-only">{question}</legend>
        {shown
          ? shown.map((one) => {
              const reason = one.problem?.replaceAll("`", "") ?? unfit(one);
              const note = reason ?? remark?.(one);
              const title = connectors?.items.find((known) => known.name === one.connector)?.title;
              return (
                <label
                  key={one.name}
                  className={classes(
                    // the hidden box stays within its card, also where the list is scrolled
                    "relative flex gap-2.5 rounded-lg border p-3 has-focus-visible:outline-2 has-focus-visible:outline-accent",
                    reason ? "cursor-not-allowed" : "cursor-pointer",
                    value === one.name
                      ? "border-accent bg-accent-soft ring-1 ring-accent"
                      : classes("bg-raised", !reason && "hover:border-line-strong hover:bg-hover"),
                  )}
                >
                  <input
                    type="radio"
                    name={group}
                    value={one.name}
                    checked={value === one.name}
                    disabled={Boolean(reason)}
                    onChange={() => onChange(one.name)}
                    className="sr-only"
                  />
                  <span className={classes("mt-0.5", reason && "opacity-50")}>
                    <ConnectorMark connector={one.connector} />
                  </span>
                  <span className="min-w-0">
                    <span className={classes("block truncate font-medium", reason && "text-ink-3")}>
                      {one.name}
                    </span>
                    <span className="block truncate text-xs text-ink-2">{title ?? one.connector}</span>
                    <span
                      className="block truncate font-mono text-2xs text-ink-3"
                      title={one.address ?? undefined}
                    >
                      {one.address}
                    </span>
                    {note && (
                      <span className={classes("mt-1 block text-xs", reason ? "text-warn" : "text-ink-2")}>
                        {note}
                      </span>
                    )}
                  </span>
                </label>
              );
            })
          : Array.from({ length: 4 }, (_, index) => (
              <Skeleton key={index} className="h-[78px] w-full rounded-lg" />
            ))}
      </fieldset>
      <NewConnectionDialog open={isNew} onOpenChange={setNew} onMade={onChange} />
    </div>
  );
}
