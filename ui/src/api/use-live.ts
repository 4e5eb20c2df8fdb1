import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";
import { live, type LiveEvent, type LiveState, type Topic } from "./live";
import { followRunTasks } from "./live-run";

/** Hears a topic while the component is there. */
export function useLive(topic: Topic | null, listener: (event: LiveEvent) => void): void {
  const heard = useEffectEvent(listener);
  useEffect(() => (topic === null ? undefined : live.subscribe(topic, heard)), [topic]);
}

/** Keeps a run and its tasks true while the component is there. */
export function useLiveRun(run: number): void {
  const client = useQueryClient();
  useEffect(() => followRunTasks(client, run), [client, run]);
}

/** Where the live connection stands. */
export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (watcher) => live.watch(watcher),
    () => live.state,
  );
}
