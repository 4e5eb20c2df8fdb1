import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";

/** What goes on, what went wrong, and what comes. */
export const overviewOptions = queryOptions({
  queryKey: keys.overview,
  queryFn: ({ signal }) => answer(api.GET("/api/v1/overview", { signal })),
});
