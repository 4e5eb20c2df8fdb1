import { answer, api } from "./client";
import type { Bar, Cause, Page, PipelineItem, Role, Run, RunState, TaskRun } from "./model";

// What the server is getting, until `schema.d.ts` has it; then this file goes away.

/** How far syncs are, and how fast. */
export interface Sums {
  rows_read: number;
  bytes_read: number;
  rows_written: number;
  rows_rejected: number;
  rows_per_second: number;
  bytes_per_second: number;
  bound: "read" | "transform" | "write";
}

export interface StreamProgress {
  stream: string;
  rows_estimate?: number | null;
  rows_read: number;
  bytes_read: number;
  rows_written: number;
  rows_rejected: number;
  rows_per_second: number;
  seconds: number;
  phase: "move" | "commit" | "verify" | "ended";
  bound: Sums["bound"];
}

export interface Progress extends Sums {
  at: string;
  streams_total: number;
  streams_ended: number;
  streams: StreamProgress[];
}

export interface Overview {
  at: string;
  pipelines: { total: number; paused: number };
  runs: { running: number; queued: number; succeeded: number; failed: number; cancelled: number };
  running: RunningRun[];
  failures: Failure[];
  upcoming: { pipeline: string; schedule: string; at: string }[];
  hours: Hour[];
  datasets: { name: string; updated_at: string; pipeline?: string | null; run?: number | null }[];
  capacity: {
    workers: number;
    slots: number;
    held: number;
    store_bytes?: number | null;
    data_bytes?: number | null;
  };
}

export interface RunningRun {
  run: number;
  pipeline: string;
  cause: Cause;
  created_at: string;
  started_at?: string | null;
  tasks: number;
  ended: number;
  progress?: Sums | null;
}

export interface Failure {
  run: number;
  pipeline: string;
  ended_at: string;
  task?: string | null;
  error?: string | null;
  code?: string | null;
  recovered: boolean;
}

export interface Hour {
  from: string;
  rows: number;
  bytes: number;
  succeeded: number;
  failed: number;
  cancelled: number;
}

export interface Endpoint {
  connection: string;
  connector?: string | null;
}

/** A pipeline in a list, with what the list shows of its runs. */
export interface PipelineRow extends PipelineItem {
  description?: string | null;
  owner?: string | null;
  flows: { from: Endpoint; to: Endpoint }[];
  schedules: { schedule: string; fires: string; kind: string; active: boolean; next_at?: string | null }[];
  recent: Bar[];
  success_rate?: number | null;
  may: Role;
}

export interface PipelineFilter {
  search?: string;
  tag?: string;
  owner?: string;
  state?: "active" | "paused";
  last?: RunState;
  sort?: string;
}

export type TaskRunWithProgress = TaskRun & { progress?: Progress | null };

/** Reads what the generated types do not know yet. */
async function read<T>(path: string, query: object, signal: AbortSignal): Promise<T> {
  return (await answer(api.GET(path as never, { params: { query }, signal } as never))) as T;
}

export function readOverview(signal: AbortSignal): Promise<Overview> {
  return read("/api/v1/overview", {}, signal);
}

export function readPipelines(query: object, signal: AbortSignal): Promise<Page<PipelineRow>> {
  return read("/api/v1/pipelines", query, signal);
}

export function readRuns(query: object, signal: AbortSignal): Promise<Page<Run>> {
  return read("/api/v1/runs", query, signal);
}
