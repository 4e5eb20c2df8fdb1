import { useEffect, useRef, useState } from "react";
import type { LayoutAnswer, LayoutQuestion } from "./layout";
import type { GraphEdge } from "./model";

export type Places = Map<string, { x: number; y: number }>;

/** Places for the tasks of a graph, found in a worker; null until there are some. Only the structure counts, no state. */
export function useLayout(names: string[], edges: GraphEdge[]): Places | null {
  const [places, setPlaces] = useState<Places | null>(null);
  const worker = useRef<Worker | null>(null);
  const asked = useRef(0);
  const structure = JSON.stringify([names, edges.map(({ from, to }) => [from, to])]);

  useEffect(() => {
    const made = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    made.onmessage = ({ data }: MessageEvent<LayoutAnswer>) => {
      if (data.asked === asked.current)
        setPlaces(new Map(data.places.map(([name, x, y]) => [name, { x, y }])));
    };
    worker.current = made;
    return () => made.terminate();
  }, []);
  useEffect(() => {
    const [all, between] = JSON.parse(structure) as [string[], [string, string][]];
    asked.current += 1;
    const question: LayoutQuestion = { asked: asked.current, names: all, edges: between };
    worker.current?.postMessage(question);
  }, [structure]);
  return places;
}
