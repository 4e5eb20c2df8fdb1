import { Graph, layout } from "@dagrejs/dagre";
import { NODE_HEIGHT, NODE_WIDTH, type LayoutAnswer, type LayoutQuestion } from "./layout";

/** Finds a place for each task: from the left to the right, with few crossings. */
self.onmessage = ({ data }: MessageEvent<LayoutQuestion>) => {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 20, ranksep: 72, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of data.names) graph.setNode(name, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const [from, to] of data.edges) graph.setEdge(from, to);
  layout(graph);
  const places = data.names.map((name): LayoutAnswer["places"][number] => {
    const { x, y } = graph.node(name);
    return [name, x - NODE_WIDTH / 2, y - NODE_HEIGHT / 2];
  });
  const answer: LayoutAnswer = { asked: data.asked, places };
  self.postMessage(answer);
};
