import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "./error";
import { keys } from "./keys";

const TRIES = 2;

/** Server state. Events keep it fresh, so nothing is read again only because time has passed or a window got the focus. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (failed, error) => failed < TRIES && error instanceof ApiError && error.isPassing,
    },
  },
  queryCache: new QueryCache({ onError: forgetSession }),
  mutationCache: new MutationCache({ onError: forgetSession }),
});

/** A session that ended while a page was open: asking who one is leads to the sign-in page. */
function forgetSession(error: Error): void {
  if (error instanceof ApiError && error.isStranger && queryClient.getQueryData(keys.session))
    queryClient.setQueryData(keys.session, null);
}
