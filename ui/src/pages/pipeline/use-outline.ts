import { queryOptions, useQuery } from "@tanstack/react-query";
import type { Outline } from "../../format/pipeline-outline";

/** Documents that are longer are read in a worker: thousands of tasks take a while. */
const ASIDE_MIN = 50_000;

/** What a document says. The parser is loaded with the first one. */
export function useOutline(text: string | undefined): Outline | undefined {
  const { data } = useQuery(outlineOptions(text));
  return data;
}

function outlineOptions(text: string | undefined) {
  return queryOptions({
    queryKey: ["outline", text],
    queryFn: () => read(text ?? ""),
    enabled: text !== undefined,
    staleTime: Infinity,
    gcTime: 60_000,
    placeholderData: (before: Outline | undefined) => before,
  });
}

async function read(text: string): Promise<Outline> {
  if (text.length < ASIDE_MIN) return (await import("../../format/pipeline-outline")).outlineOf(text);
  const worker = new Worker(new URL("../../format/outline.worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Outline>) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(text);
    });
  } finally {
    worker.terminate();
  }
}
