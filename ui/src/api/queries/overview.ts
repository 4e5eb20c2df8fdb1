import { queryOptions } from "@tanstack/react-query";
import { readOverview } from "../contract";
import { keys } from "../keys";

/** What goes on, what went wrong, and what comes. */
export const overviewOptions = queryOptions({
  queryKey: keys.overview,
  queryFn: ({ signal }) => readOverview(signal),
});
