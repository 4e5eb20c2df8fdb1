import { Lock } from "lucide-react";
import type { Connection } from "../../api/model";
import { useDenial } from "../../api/roles";
import { Callout } from "../../components/Callout";
import { EmptyState } from "../../components/EmptyState";
import { StreamBrowser } from "../../components/streams/StreamBrowser";
import { useUrlFilters } from "../../components/use-url-filters";

/** What can be read through a connection: its streams, and of one its columns and first rows. */
export function StreamsPart({ connection: { name, problem } }: { connection: Connection }) {
  const denial = useDenial("editor");
  const [{ q, stream }, setFilters] = useUrlFilters<"q" | "stream">();
  if (denial)
    return (
      <EmptyState icon={Lock} title="Streams and rows take the role editor">
        They show what the other system holds.
      </EmptyState>
    );
  if (problem)
    return (
      <div className="p-4 sm:p-6">
        <Callout tone="warn" title="The connection cannot be used as it is">
          {problem}
        </Callout>
      </div>
    );
  return (
    <StreamBrowser
      connection={name}
      search={q ?? ""}
      onSearch={(next) => setFilters({ q: next })}
      active={stream}
      onActivate={(next) => setFilters({ stream: next })}
    />
  );
}
