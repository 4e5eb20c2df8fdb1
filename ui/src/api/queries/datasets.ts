import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, versioned } from "../client";
import { keys } from "../keys";
import type { DatasetChange } from "../model";
import { pagedOptions } from "../pages";

export interface DatasetFilter {
  search?: string;
  connection?: string;
  tag?: string;
  owner?: string;
  sort?: "name" | "-name" | "updated_at" | "-updated_at" | "rows" | "-rows";
}

export function datasetsOptions(filter: DatasetFilter) {
  return pagedOptions(keys.datasets.list(filter), (page, signal) =>
    answer(api.GET("/api/v1/datasets", { params: { query: { ...filter, ...page } }, signal })),
  );
}

/** A dataset with the version to change what is written about it by. */
export function datasetOptions(name: string) {
  return queryOptions({
    queryKey: keys.datasets.one(name),
    queryFn: ({ signal }) => {
      const params = { path: { dataset: name } };
      return versioned(api.GET("/api/v1/datasets/{dataset}", { params, signal }));
    },
  });
}

/** The last loads of a dataset, the newest first. */
export function datasetLoadsOptions(name: string) {
  return pagedOptions(keys.datasets.part(name, "loads"), (page, signal) => {
    const params = { path: { dataset: name }, query: page };
    return answer(api.GET("/api/v1/datasets/{dataset}/loads", { params, signal }));
  });
}

/** The versions of its columns, the newest first. */
export function datasetSchemasOptions(name: string) {
  return pagedOptions(keys.datasets.part(name, "schemas"), (page, signal) => {
    const params = { path: { dataset: name }, query: page };
    return answer(api.GET("/api/v1/datasets/{dataset}/schemas", { params, signal }));
  });
}

/** What tests of a dataset found: of each the last time, or of one test all that is known. */
export function datasetTestsOptions(name: string, test: string | undefined) {
  return pagedOptions(keys.datasets.part(name, "tests", test ?? null), (page, signal) => {
    const query = { ...page, ...(test === undefined ? { latest: true } : { test }) };
    const params = { path: { dataset: name }, query };
    return answer(api.GET("/api/v1/datasets/{dataset}/tests", { params, signal }));
  });
}

/** What a dataset is made from and what from it; of one column, or of all of them without telling their ways. */
export function lineageOptions(name: string, column: string | undefined) {
  return queryOptions({
    queryKey: keys.datasets.part(name, "lineage", column ?? null),
    queryFn: ({ signal }) => {
      const query = column ? { column } : { columns: true };
      const params = { path: { dataset: name }, query };
      return answer(api.GET("/api/v1/datasets/{dataset}/lineage", { params, signal }));
    },
  });
}

/** Changes what is written about a dataset, unless somebody else did so meanwhile. */
export function useUpdateDataset(name: string, etag: string | null) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: DatasetChange) => {
      const params = { path: { dataset: name }, header: { "If-Match": etag ?? "*" } };
      return answer(api.PATCH("/api/v1/datasets/{dataset}", { params, body: change }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keys.datasets.all }),
  });
}

/** Forgets a dataset until a run meets it again. */
export function useForgetDataset() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, etag }: { name: string; etag: string | null }) => {
      const params = { path: { dataset: name }, header: { "If-Match": etag ?? "*" } };
      await api.DELETE("/api/v1/datasets/{dataset}", { params });
    },
    onSuccess: (_done, { name }) => {
      client.removeQueries({ queryKey: keys.datasets.one(name) });
      return client.invalidateQueries({ queryKey: keys.datasets.all });
    },
  });
}
