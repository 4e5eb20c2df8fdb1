import {
  queryOptions,
  useMutation,
  useQueryClient,
  type InfiniteData,
  type QueryClient,
} from "@tanstack/react-query";
import { answer, api } from "../client";
import { merged } from "../../format/rows";
import { addRow, changeRow, deleteRow, listRows, restoreRow, type Row } from "../data";
import { keys } from "../keys";
import type { Collection, Page, Report } from "../model";
import { pagedOptions } from "../pages";

const ALL = { limit: 1000 };

/** The tables that the data API serves. */
export const collectionsOptions = queryOptions({
  queryKey: keys.data("served", "collections"),
  queryFn: async ({ signal }): Promise<Collection[]> =>
    (await answer(api.GET("/api/v1/collections", { params: { query: ALL }, signal }))).items,
});

/** The queries that the data API serves. */
export const reportsOptions = queryOptions({
  queryKey: keys.data("served", "reports"),
  queryFn: async ({ signal }): Promise<Report[]> =>
    (await answer(api.GET("/api/v1/reports", { params: { query: ALL }, signal }))).items,
});

/** Rows of a collection, in the order and with the filters of `query`. */
export function rowsOptions(collection: Collection, query: string) {
  return pagedOptions(keys.data("rows", collection.name, query), (page, signal) => {
    const all = new URLSearchParams(query);
    all.set("limit", String(page.limit));
    if (page.after) all.set("after", page.after);
    return listRows(collection.path, all, signal);
  });
}

/** Rows that a column can refer to, of which the text starts with what is typed. */
export function choicesOptions(collection: Collection | undefined, label: string, text: string) {
  return queryOptions({
    queryKey: keys.data("choices", collection?.name, text),
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ limit: "20" });
      if (label) query.set("sort", label);
      if (label && text) query.set(`${label}[starts_with]`, text);
      return (await listRows(collection?.path ?? "", query, signal)).items;
    },
    enabled: collection !== undefined,
  });
}

type Rows = InfiniteData<Page<Row>>;

/** Puts what a row is now in its place in every list that shows it; `null` takes it away. */
function replaceRow(
  client: QueryClient,
  { name, key }: Collection,
  id: unknown,
  change: (row: Row) => Row | null,
) {
  client.setQueriesData<Rows>({ queryKey: keys.data("rows", name) }, (list) =>
    list
      ? {
          ...list,
          pages: list.pages.map((page) => ({
            ...page,
            items: page.items.flatMap((row): Row[] => {
              if (row[key] !== id) return [row];
              const now = change(row);
              return now ? [now] : [];
            }),
          })),
        }
      : list,
  );
}

export function useAddRow(collection: Collection) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (row: Row) => addRow(collection.path, row),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.data("rows", collection.name) }),
  });
}

export function useChangeRow(collection: Collection) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, change, etag }: { id: unknown; change: Row; etag: string | null }) =>
      changeRow(collection.path, id, change, etag),
    onSuccess: ({ data }, { id }) => replaceRow(client, collection, id, (row) => merged(row, data)),
  });
}

/** Shows what a row is now, as when somebody else has changed it. */
export function useShowRow(collection: Collection) {
  const client = useQueryClient();
  return (id: unknown, now: Row) => replaceRow(client, collection, id, (row) => merged(row, now));
}

export function useDeleteRow(collection: Collection) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, isHard }: { id: unknown; isHard: boolean }) => deleteRow(collection.path, id, isHard),
    onSuccess: (_done, { id }) => {
      replaceRow(client, collection, id, () => null);
      void client.invalidateQueries({ queryKey: keys.data("rows") });
    },
  });
}

export function useRestoreRow(collection: Collection) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: unknown) => restoreRow(collection.path, id),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.data("rows", collection.name) }),
  });
}
