import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Connector, StreamFound } from "../../api/model";
import { streamsOptions } from "../../api/queries/connection-contents";
import { allConnectionsOptions, connectorsOptions } from "../../api/queries/connections";
import { matchingOptions } from "../../api/queries/new-pipeline";
import { isPattern } from "../../format/stream-tree";
import type { Draft, StreamDraft } from "./draft";
import type { Facts } from "./modes";

/** What is known of the streams of a draft and of both of its ends. */
export interface Known {
  /** The streams that each one stands for: itself, or those that match a pattern. */
  found: ReadonlyMap<string, readonly StreamFound[]>;
  source: Connector | undefined;
  destination: Connector | undefined;
  isLoading: boolean;
}

/** Looks up the streams of a draft, and the connectors of its ends. */
export function useKnown(draft: Draft): Known {
  const { source, destination, streams } = draft;
  const { data: connections } = useQuery(allConnectionsOptions);
  const { data: connectors } = useQuery(connectorsOptions);
  const list = useQuery({ ...streamsOptions(source ?? ""), enabled: source !== null });
  const unlisted = useMemo(() => {
    const listed = new Set(list.data?.streams.map((stream) => stream.stream));
    return list.data
      ? streams.map((one) => one.name).filter((name) => isPattern(name) || !listed.has(name))
      : [];
  }, [list.data, streams]);
  const matching = useQueries({
    queries: unlisted.map((name) => ({ ...matchingOptions(source ?? "", name), enabled: source !== null })),
  });
  const connectorOf = (name: string | null) => {
    const kind = connections?.find((one) => one.name === name)?.connector;
    return connectors?.items.find((one) => one.name === kind);
  };
  const found = new Map<string, readonly StreamFound[]>();
  for (const stream of list.data?.streams ?? []) found.set(stream.stream, [stream]);
  unlisted.forEach((name, index) => found.set(name, matching[index]?.data ?? []));
  return {
    found,
    source: connectorOf(source),
    destination: connectorOf(destination),
    isLoading: list.isLoading || matching.some((one) => one.isLoading) || !connectors || !connections,
  };
}

/** The columns of a stream, or those that all streams of a pattern have. */
export function columnsOf(found: readonly StreamFound[] | undefined): StreamFound["columns"] {
  const [first, ...others] = found ?? [];
  if (!first) return [];
  return first.columns.filter((column) =>
    others.every((other) => other.columns.some((one) => one.name === column.name)),
  );
}

/** What decides which modes there are for a stream. */
export function factsOf(stream: Pick<StreamDraft, "name" | "key">, known: Known): Facts {
  const found = known.found.get(stream.name) ?? [];
  const [first] = found;
  const own = found.every((one) => one.key.length > 0) ? (first?.key ?? []) : [];
  const cursors = (first?.cursors ?? []).filter((name) => found.every((one) => one.cursors.includes(name)));
  return {
    key: stream.key && stream.key.length > 0 ? stream.key : own,
    cursors,
    columns: columnsOf(found),
    ownOrder: known.source?.own_order ?? false,
    writes: known.destination?.writes ?? ["replace", "append", "merge"],
    destination: known.destination?.title ?? "The destination",
  };
}
