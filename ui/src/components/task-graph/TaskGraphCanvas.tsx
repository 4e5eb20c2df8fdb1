import {
  Background,
  ControlButton,
  Controls,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  type Connection,
  type Edge,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { Maximize } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { count } from "../../format/numbers";
import { Skeleton } from "../Skeleton";
import { connectProblem, edgesOf, rowsOf, shownState, type GraphTask } from "./model";
import { NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { TaskNode, type TaskNodeType } from "./TaskNode";
import { useLayout } from "./use-layout";

export interface TaskGraphProps {
  tasks: GraphTask[];
  /** The task that is chosen. */
  selected: string | null;
  onSelect: (task: string | null) => void;
  /** What an edge says of the one that it leads to: "waits for" unless given. */
  says?: string;
  /** What can be changed; nothing unless given. */
  edit?: {
    onConnect: (from: string, to: string) => void;
    onDisconnect: (from: string, to: string) => void;
    onRemove: (task: string) => void;
  };
}

const NODE_TYPES = { task: TaskNode };
const HANDLES = [
  { type: "target" as const, position: Position.Left, x: 0, y: NODE_HEIGHT / 2, width: 1, height: 1 },
  {
    type: "source" as const,
    position: Position.Right,
    x: NODE_WIDTH,
    y: NODE_HEIGHT / 2,
    width: 1,
    height: 1,
  },
];
const FIT = { padding: 0.12, maxZoom: 1, minZoom: 0.25 };

/** The tasks of a pipeline as a graph. Arrow keys and Tab walk over it, Enter chooses. */
export default function TaskGraphCanvas(props: TaskGraphProps) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ tasks, selected, onSelect, says = "waits for", edit }: TaskGraphProps) {
  const edges = useMemo(() => edgesOf(tasks), [tasks]);
  const names = useMemo(() => tasks.map((task) => task.name), [tasks]);
  const places = useLayout(names, edges);
  const [pulled, setPulled] = useState<{ from: string; isSource: boolean } | null>(null);
  const { fitView } = useReactFlow();
  const isEditable = edit !== undefined;

  const nodes = useMemo<TaskNodeType[]>(() => {
    if (!places) return [];
    return tasks.flatMap((task) => {
      const place = places.get(task.name);
      if (!place) return [];
      const isBarred =
        pulled !== null &&
        pulled.from !== task.name &&
        connectProblem(
          tasks,
          ...(pulled.isSource ? ([pulled.from, task.name] as const) : ([task.name, pulled.from] as const)),
        ) !== undefined;
      return {
        id: task.name,
        type: "task" as const,
        position: place,
        width: NODE_WIDTH,
        height: NODE_HEIGHT,
        measured: { width: NODE_WIDTH, height: NODE_HEIGHT },
        handles: HANDLES,
        selected: task.name === selected,
        deletable: isEditable,
        data: { ...task, canConnect: isEditable, isBarred },
        ariaLabel: spoken(task),
      };
    });
  }, [tasks, places, selected, isEditable, pulled]);

  const byName = useMemo(() => new Map(tasks.map((task) => [task.name, task])), [tasks]);
  const lines = useMemo<Edge[]>(
    () =>
      edges.map(({ from, to, isImplied }) => {
        const before = byName.get(from);
        const rows = isImplied ? null : rowsOf(before?.taskRun, before?.progress);
        return {
          id: `${from} ${to}`,
          source: from,
          target: to,
          label: rows === null ? undefined : `${count(rows)} written`,
          deletable: isEditable && !isImplied,
          focusable: isEditable && !isImplied,
          ariaLabel: `${to} ${says} ${from}`,
          animated: before?.progress !== undefined,
          style: {
            stroke: "var(--field-line)",
            strokeWidth: 1.25,
            ...(isImplied && { strokeDasharray: "4 4" }),
          },
          labelStyle: { fill: "var(--ink-2)", fontSize: 11 },
          labelBgStyle: { fill: "var(--canvas)" },
        };
      }),
    [edges, byName, isEditable, says],
  );

  // another structure, or another size of the place for it, is shown whole
  const isPlaced = places !== null;
  const size = names.length;
  useEffect(() => {
    if (isPlaced) requestAnimationFrame(() => void fitView(FIT));
  }, [isPlaced, size, fitView]);

  if (!places && tasks.length > 0)
    return (
      <div className="flex items-center gap-16 p-8">
        <Skeleton className="h-14 w-52" />
        <Skeleton className="h-14 w-52" />
      </div>
    );
  return (
    <ReactFlow
      nodes={nodes}
      edges={lines}
      nodeTypes={NODE_TYPES}
      fitView
      fitViewOptions={FIT}
      minZoom={0.1}
      maxZoom={1.5}
      nodesDraggable={false}
      nodesConnectable={isEditable}
      nodesFocusable
      edgesFocusable={isEditable}
      elementsSelectable
      deleteKeyCode={isEditable ? ["Delete", "Backspace"] : null}
      zoomOnScroll={false}
      panOnScroll={false}
      preventScrolling={false}
      proOptions={{ hideAttribution: true }}
      onNodeClick={(_event, node) => onSelect(node.id)}
      onPaneClick={() => onSelect(null)}
      onNodesChange={(changes) => {
        for (const change of changes) if (change.type === "select" && change.selected) onSelect(change.id);
      }}
      onConnectStart={(_event, { nodeId, handleType }) =>
        nodeId && setPulled({ from: nodeId, isSource: handleType === "source" })
      }
      onConnectEnd={() => setPulled(null)}
      isValidConnection={({ source, target }: Connection | Edge) =>
        connectProblem(tasks, source, target) === undefined
      }
      onConnect={({ source, target }) => edit?.onConnect(source, target)}
      onEdgesDelete={(gone) => gone.forEach((edge) => edit?.onDisconnect(edge.source, edge.target))}
      onBeforeDelete={async ({ nodes: going, edges: lost }) => {
        const [first] = going;
        if (first) {
          // asks first, and then changes the document
          edit?.onRemove(first.id);
          return false;
        }
        return { nodes: [], edges: lost };
      }}
    >
      <Background color="var(--line)" gap={20} />
      <Controls
        showInteractive={false}
        showFitView={false}
        position="bottom-right"
        className="overflow-hidden rounded border bg-raised text-ink-2 [&_button]:flex [&_button]:size-7 [&_button]:items-center [&_button]:justify-center [&_button]:border-b [&_button]:last:border-b-0 [&_button:hover]:bg-hover [&_svg]:size-3 [&_svg]:fill-current"
      >
        <ControlButton onClick={() => void fitView(FIT)} title="Show all" aria-label="Show all">
          <Maximize className="!fill-none" />
        </ControlButton>
      </Controls>
    </ReactFlow>
  );
}

/** A task in words. */
function spoken(task: GraphTask): string {
  const state = shownState(task.taskRun);
  const parts = [
    task.name,
    task.kind,
    state,
    task.after.length > 0 && `after ${task.after.join(", ")}`,
    task.mistake,
  ];
  return parts.filter(Boolean).join(", ");
}
