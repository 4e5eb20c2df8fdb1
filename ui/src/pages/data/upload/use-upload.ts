import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { keys } from "../../../api/keys";
import type { Collection } from "../../../api/model";
import { upload } from "../../../api/upload";
import { failuresOf, refusalsOf, type Failure, type Told } from "./told";

export type Progress =
  | { state: "idle" }
  | { state: "sending"; sent: number; size: number }
  | { state: "done"; told: Told; failures: Failure[] }
  | { state: "refused"; error: unknown; failures: Failure[] };

export interface Choices {
  body: Blob;
  mediaType: string;
  mode: "all" | "each";
  upsert: string;
}

/** One upload at a time into a collection; it goes no further when the page is left. */
export function useUpload(collection: Collection) {
  const [progress, setProgress] = useState<Progress>({ state: "idle" });
  const client = useQueryClient();
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const send = async ({ body, mediaType, mode, upsert }: Choices) => {
    abort.current = new AbortController();
    const query = new URLSearchParams({ mode, ...(upsert && { upsert }) });
    setProgress({ state: "sending", sent: 0, size: body.size });
    try {
      const told = await upload<Told>({
        address: `${collection.path}/bulk?${query.toString()}`,
        mediaType,
        body,
        onProgress: (sent) => setProgress({ state: "sending", sent, size: body.size }),
        signal: abort.current.signal,
      });
      setProgress({ state: "done", told, failures: failuresOf(told) });
    } catch (error) {
      setProgress({ state: "refused", error, failures: refusalsOf(error) });
    }
    void client.invalidateQueries({ queryKey: keys.data("rows") });
  };
  return {
    progress,
    send,
    cancel: () => abort.current?.abort(),
    reset: () => setProgress({ state: "idle" }),
  };
}
