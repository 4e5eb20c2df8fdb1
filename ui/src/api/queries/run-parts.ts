import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../client";
import { keys } from "../keys";
import { pagedOptions } from "../pages";

/** The runs of a pipeline, the newest first; read again when one begins or ends. */
export function pipelineRunsOptions(pipeline: string) {
  return pagedOptions(keys.pipelines.part(pipeline, "runs"), (page, signal) =>
    answer(
      api.GET("/api/v1/runs", { params: { query: { pipeline, after: page.after, limit: 40 } }, signal }),
    ),
  );
}

/** The same with the tasks of each run in short; of runs with many tasks fewer come at once. */
export function pipelineGridOptions(pipeline: string) {
  return pagedOptions(keys.pipelines.part(pipeline, "runs", "tasks"), (page, signal) =>
    answer(
      api.GET("/api/v1/runs", {
        params: { query: { pipeline, tasks: true, after: page.after, limit: 60 } },
        signal,
      }),
    ),
  );
}

/** What a run waits for, in a line. */
export function whyRunOptions(run: number) {
  return queryOptions({
    queryKey: keys.runs.part(run, "why"),
    queryFn: ({ signal }) => answer(api.GET("/api/v1/runs/{run}/why", { params: { path: { run } }, signal })),
    staleTime: 0,
  });
}

/** What a task run waits for, in a line. */
export function whyTaskOptions(run: number, taskRun: number) {
  return queryOptions({
    queryKey: keys.runs.part(run, "why", taskRun),
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/task-runs/{task_run}/why", { params: { path: { task_run: taskRun } }, signal }),
      ),
    staleTime: 0,
  });
}

/** The history of a run, the oldest first. */
export function runHistoryOptions(run: number) {
  return pagedOptions(keys.runs.part(run, "history"), (page, signal) =>
    answer(
      api.GET("/api/v1/runs/{run}/events", {
        params: { path: { run }, query: { ...page, limit: 1000 } },
        signal,
      }),
    ),
  );
}

/** The items of a task. */
export function taskItemsOptions(run: number, task: string) {
  return pagedOptions(keys.runs.part(run, "items", task), (page, signal) =>
    answer(
      api.GET("/api/v1/runs/{run}/tasks/{task}/items", {
        params: { path: { run, task }, query: { ...page, limit: 500 } },
        signal,
      }),
    ),
  );
}

/** One item of a task, by its place from 0. */
export function taskItemOptions(run: number, task: string, item: number) {
  return queryOptions({
    queryKey: keys.runs.part(run, "item", task, item),
    queryFn: async ({ signal }) => {
      const page = await answer(
        api.GET("/api/v1/runs/{run}/tasks/{task}/items", {
          params: { path: { run, task }, query: { after: String(item), limit: 1 } },
          signal,
        }),
      );
      return page.items[0] ?? null;
    },
  });
}

/** The files that the tasks of a run left. */
export function artifactsOptions(run: number) {
  return pagedOptions(keys.runs.part(run, "artifacts"), (page, signal) =>
    answer(
      api.GET("/api/v1/runs/{run}/artifacts", {
        params: { path: { run }, query: { ...page, limit: 1000 } },
        signal,
      }),
    ),
  );
}

/** What tests found in a run. */
export function runTestsOptions(run: number) {
  return queryOptions({
    queryKey: keys.runs.part(run, "tests"),
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/runs/{run}/tests", { params: { path: { run }, query: { limit: 1000 } }, signal }),
      ),
  });
}

/** The rows that are kept of those that break the rule of a test. */
export function failingRowsOptions(run: number, task_run: number, test: string) {
  return queryOptions({
    queryKey: keys.runs.part(run, "failing", task_run, test),
    queryFn: ({ signal }) => {
      const params = { path: { run }, query: { task_run, test } };
      return answer(api.GET("/api/v1/runs/{run}/tests/rows", { params, signal }));
    },
  });
}

/** The streams of a run with rows in the quarantine. */
export function quarantineOptions(run: number) {
  return queryOptions({
    queryKey: keys.runs.part(run, "quarantine"),
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/runs/{run}/quarantine", { params: { path: { run } }, signal })),
  });
}

/** Rows that could not be loaded. */
export function quarantineRowsOptions(run: number, task: string, stream: string) {
  return pagedOptions(keys.runs.part(run, "quarantine", task, stream), (page, signal) =>
    answer(
      api.GET("/api/v1/runs/{run}/quarantine/rows", {
        params: { path: { run }, query: { task, stream, ...page } },
        signal,
      }),
    ),
  );
}

/** Loads the rows of a stream that are in the quarantine again, as the pipeline is now. */
export function useReplay(run: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { task: string; stream: string }) =>
      answer(api.POST("/api/v1/runs/{run}/quarantine/replay", { params: { path: { run } }, body })),
    onSettled: () => client.invalidateQueries({ queryKey: keys.runs.part(run, "quarantine") }),
  });
}

/** Where a file of a run can be taken away. */
export function artifactAddress(run: number, path: string): string {
  return `/api/v1/runs/${run}/artifacts/download?${new URLSearchParams({ path })}`;
}

/** Bytes of a file that are looked at. */
const PREVIEW_BYTES = 256 * 1024;

/** The beginning of a file, as text. */
export function fileTextOptions(address: string) {
  return queryOptions({
    queryKey: keys.file(address),
    queryFn: async ({ signal }) => {
      const { data } = await api.GET(address as never, { parseAs: "stream", signal } as never);
      return beginning(data as unknown as ReadableStream<Uint8Array>);
    },
    staleTime: 60_000,
  });
}

/** Reads so much of a file and no more. */
async function beginning(stream: ReadableStream<Uint8Array>): Promise<{ text: string; isWhole: boolean }> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), isWhole: true };
    text += decoder.decode(value, { stream: true });
    bytes += value.length;
    if (bytes < PREVIEW_BYTES) continue;
    await reader.cancel();
    return { text, isWhole: false };
  }
}
