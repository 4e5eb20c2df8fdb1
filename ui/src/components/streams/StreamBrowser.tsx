import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, RotateCw, TableProperties } from "lucide-react";
import type { ReactNode } from "react";
import { streamsOptions } from "../../api/queries/connection-contents";
import { plural } from "../../format/numbers";
import { classes } from "../classes";
import { EmptyState } from "../EmptyState";
import { ErrorState } from "../ErrorState";
import { IconButton } from "../IconButton";
import { SearchInput } from "../SearchInput";
import { Skeleton } from "../Skeleton";
import { StreamDetails } from "./StreamDetails";
import { StreamTree } from "./StreamTree";

interface StreamBrowserProps {
  connection: string;
  search: string;
  onSearch: (search: string) => void;
  /** The stream that is looked at. */
  active: string | undefined;
  onActivate: (stream: string | undefined) => void;
  /** Which streams are chosen; without it nothing can be. */
  chosen?: ReadonlySet<string>;
  onChoose?: (streams: string[], isChosen: boolean) => void;
  /** Between the search and the list. */
  children?: ReactNode;
}

/** The streams of a connection beside one of them with its rows and columns; on a narrow screen one at a time. */
export function StreamBrowser(props: StreamBrowserProps) {
  const { connection, search, onSearch, active: activeName, onActivate, chosen, onChoose, children } = props;
  const { data, error, isFetching, refetch } = useQuery(streamsOptions(connection));
  const active = data?.streams.find((one) => one.stream === activeName);

  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <div className="flex min-h-0 grow">
      <div
        className={classes(
          "flex min-h-0 w-full shrink-0 flex-col md:w-80 md:border-r lg:w-96",
          active && "max-md:hidden",
        )}
      >
        <div className="flex items-center gap-2 border-b px-3 py-2">
          <SearchInput
            label="Search streams and columns"
            value={search}
            onValueChange={onSearch}
            className="grow"
          />
          <IconButton icon={RotateCw} label="Look again" busy={isFetching} onClick={() => void refetch()} />
        </div>
        {children}
        {data ? (
          <StreamTree
            streams={data.streams}
            search={search}
            active={active?.stream}
            onActivate={onActivate}
            {...(chosen && { chosen })}
            {...(onChoose && { onChoose })}
          />
        ) : (
          <div className="flex min-h-0 grow flex-col gap-4 overflow-hidden p-4" aria-busy>
            {Array.from({ length: 12 }, (_, row) => (
              <Skeleton key={row} className="h-4 w-full shrink-0" />
            ))}
          </div>
        )}
        <p className="border-t px-3 py-1.5 text-xs text-ink-3">
          {data
            ? `${plural(data.streams.length, "stream")}${data.isCut ? "; there are more" : ""}`
            : "Asking the other system"}
        </p>
      </div>
      {active ? (
        <div className="flex min-h-0 min-w-0 grow flex-col">
          <button
            type="button"
            onClick={() => onActivate(undefined)}
            className="flex items-center gap-1 px-4 pt-3 text-accent md:hidden"
          >
            <ArrowLeft className="size-3.5" aria-hidden /> All streams
          </button>
          <StreamDetails connection={connection} stream={active} />
        </div>
      ) : (
        <div className="hidden min-w-0 grow md:block">
          <EmptyState icon={TableProperties} title="Choose a stream to look at">
            Its first rows and its columns are shown here.
          </EmptyState>
        </div>
      )}
    </div>
  );
}
