import { useMutation, useQueryClient } from "@tanstack/react-query";
import { DEMO_CONNECTIONS, DEMO_NAME, DEMO_TEXT } from "../../format/demo";
import { answer, api, idempotencyKey } from "../client";
import { ApiError } from "../error";

/** Makes the demo's connections and its pipeline, and runs it once; answers the run. What is there already stays. */
export function useLoadDemo() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      for (const [connection, body] of Object.entries(DEMO_CONNECTIONS))
        await unlessThere(
          answer(api.PUT("/api/v1/connections/{connection}", { params: { path: { connection } }, body })),
        );
      const path = { pipeline: DEMO_NAME };
      await unlessThere(
        answer(api.PUT("/api/v1/pipelines/{pipeline}", { params: { path }, body: { text: DEMO_TEXT } })),
      );
      return answer(
        api.POST("/api/v1/pipelines/{pipeline}/runs", {
          params: { path, header: idempotencyKey() },
          body: { params: {}, tasks: [] },
        }),
      );
    },
    onSuccess: () => client.invalidateQueries(),
  });
}

/** What is made without a version cannot change what is there. */
async function unlessThere(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!(error instanceof ApiError) || error.kind !== "unconditional") throw error;
  }
}
