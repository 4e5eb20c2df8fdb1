import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";

export const workersOptions = queryOptions({
  queryKey: keys.workers,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/workers", { params: { query: { limit: 1000 } }, signal })),
});

export const poolsOptions = queryOptions({
  queryKey: keys.pools,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/pools", { params: { query: { limit: 1000 } }, signal })),
});
