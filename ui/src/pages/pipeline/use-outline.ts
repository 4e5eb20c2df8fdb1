import { queryOptions, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { outlineOf, type Outline } from "../../format/pipeline-outline";

/** Documents that are longer are read in a worker: thousands of tasks take a while. */
const ASIDE_MIN = 50_000;

/** What a document says; of a long one not before a worker has read it, and until then what the one before said. */
export function useOutline(text: string | undefined): Outline | undefined {
  const isLong = text !== undefined && text.length >= ASIDE_MIN;
  const { data: aside } = useQuery({ ...outlineOptions(text ?? ""), enabled: isLong });
  const now = useMemo(() => (text === undefined || isLong ? undefined : outlineOf(text)), [text, isLong]);
  return now ?? aside;
}

/** What a document says that is being changed: edits go by it, so it is never that of an earlier text. */
export function useDraftOutline(text: string, isEditing: boolean): Outline | undefined {
  const aside = useOutline(isEditing ? undefined : text);
  const now = useMemo(() => (isEditing ? outlineOf(text) : undefined), [text, isEditing]);
  return now ?? aside;
}

function outlineOptions(text: string) {
  return queryOptions({
    queryKey: ["outline", text],
    queryFn: () => readAside(text),
    staleTime: Infinity,
    gcTime: 60_000,
    placeholderData: (before: Outline | undefined) => before,
  });
}

async function readAside(text: string): Promise<Outline> {
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
