import type { Progress, RunEvent } from "./model";
import type { LogLine } from "./model-logs";

/**
 * Something to listen to: `runs`, `run:7`, `logs:42`, the lists of `pipelines` and `workers`, the `rows` of collections,
 * `changes` of whatever kind, and `progress` of all runs.
 */
export type Topic =
  | "runs"
  | "pipelines"
  | "workers"
  | "changes"
  | "rows"
  | "progress"
  | `run:${number}`
  | `logs:${number}`
  | `logs:${number}@${number}`;

/** What the server tells. */
export type LiveEvent =
  | { kind: "run"; id: number; run: number; pipeline: string; event: RunEvent }
  | { kind: "task"; id: number; run: number; pipeline: string; task: string; event: RunEvent }
  | { kind: "log"; task_run: number; attempt: number; line: LogLine }
  | { kind: "progress"; run: number; task_run: number; task: string; progress: Progress }
  /** Without other documents, only what fires next is different. */
  | { kind: "pipelines"; documents: boolean }
  | { kind: "workers" }
  | { kind: "changes" }
  | { kind: "rows"; collection: string };

type Told = LiveEvent | { kind: "hello"; last: number } | { kind: "behind"; last: number };

/** Where the connection stands: `waiting` until the next attempt, `closed` if nobody wants to listen. */
export type LiveState = "closed" | "connecting" | "connected" | "waiting";

type Listener = (event: LiveEvent) => void;

interface Timers {
  set: (action: () => void, ms: number) => unknown;
  clear: (timer: unknown) => void;
}

const PAUSE_MS = 500;
const PAUSE_MS_MAX = 15_000;
/** The server pings each 15 s, but scripts do not see that; a connection that died silently is found by the browser. */
const STRANGER = 4_001;

/**
 * The one connection on which the server tells what happens. Topics are listened to while somebody wants them; after a
 * break it goes on with the event after the last one it heard, so that nothing is missed and nothing is told twice.
 */
export class Live {
  /** Called when a session ended. */
  onStranger: () => void = () => {};
  /** Called when too much was missed: whatever is shown has to be read again. */
  onBehind: () => void = () => {};

  private readonly listeners = new Map<Topic, Set<Listener>>();
  private readonly watchers = new Set<() => void>();
  private socket: WebSocket | null = null;
  private current: LiveState = "closed";
  private last: number | null = null;
  /** The next line of each log, so that a break repeats none. */
  private readonly lines = new Map<number, number>();
  private failed = 0;
  private timer: unknown = null;

  constructor(
    private readonly open: (after: number | null) => WebSocket,
    private readonly timers: Timers = {
      set: (f, ms) => setTimeout(f, ms),
      clear: (t) => clearTimeout(t as number),
    },
    private readonly random: () => number = Math.random,
  ) {}

  get state(): LiveState {
    return this.current;
  }

  /** Tells of every change of the state. Answers how to end it. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Listens to a topic. Answers how to end it. */
  subscribe(topic: Topic, listener: Listener): () => void {
    const known = this.listeners.get(topic);
    if (known) known.add(listener);
    else {
      this.listeners.set(topic, new Set([listener]));
      this.send({ subscribe: [topic] });
    }
    if (this.current === "closed") this.connect();
    return () => this.unsubscribe(topic, listener);
  }

  /** Tries again at once, as when the network is back. */
  wake(): void {
    if (this.current === "waiting") this.connect();
  }

  /** Ends the connection, as when somebody signs out. */
  close(): void {
    this.timers.clear(this.timer);
    const socket = this.socket;
    this.socket = null;
    this.last = null;
    this.failed = 0;
    this.move("closed");
    socket?.close();
  }

  private unsubscribe(topic: Topic, listener: Listener): void {
    const known = this.listeners.get(topic);
    if (!known?.delete(listener) || known.size > 0) return;
    this.listeners.delete(topic);
    this.lines.delete(Number(/^logs:(\d+)/.exec(topic)?.[1]));
    this.send({ unsubscribe: [topic] });
  }

  private connect(): void {
    this.timers.clear(this.timer);
    this.move("connecting");
    const socket = this.open(this.last);
    this.socket = socket;
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.move("connected");
      if (this.listeners.size > 0)
        this.send({ subscribe: [...this.listeners.keys()].map((topic) => this.resumed(topic)) });
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      if (this.socket === socket) this.hear(JSON.parse(message.data) as Told);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (event.code === STRANGER) {
        this.close();
        this.onStranger();
      } else this.wait();
    };
  }

  /** The pause doubles each time, and differs from browser to browser, so that a server that is back is not stormed. */
  private wait(): void {
    this.move("waiting");
    const pause = Math.min(PAUSE_MS * 2 ** this.failed, PAUSE_MS_MAX);
    this.failed += 1;
    this.timer = this.timers.set(() => this.connect(), pause * (0.5 + this.random() / 2));
  }

  private hear(told: Told): void {
    switch (told.kind) {
      case "hello":
        this.failed = 0;
        this.last ??= told.last;
        return;
      case "behind":
        this.last = told.last;
        this.onBehind();
        return;
      default:
        if ("id" in told && typeof told.id === "number") this.last = told.id;
        if (told.kind === "log") this.lines.set(told.task_run, told.line.number + 1);
        for (const topic of topicsOf(told, this.listeners.keys()))
          this.listeners.get(topic)?.forEach((listener) => listener(told));
    }
  }

  private resumed(topic: Topic): Topic {
    const log = /^logs:(\d+)/.exec(topic)?.[1];
    const line = log === undefined ? undefined : this.lines.get(Number(log));
    return line === undefined ? topic : `logs:${Number(log)}@${line}`;
  }

  private send(said: { subscribe?: Topic[]; unsubscribe?: Topic[] }): void {
    if (this.current === "connected") this.socket?.send(JSON.stringify(said));
  }

  private move(state: LiveState): void {
    if (this.current === state) return;
    this.current = state;
    this.watchers.forEach((watcher) => watcher());
  }
}

/** Which of the topics an event belongs to. */
export function* topicsOf(event: LiveEvent, topics: Iterable<Topic>): Generator<Topic> {
  for (const topic of topics) {
    const [noun, about] = topic.split(":");
    const isMeant =
      about === undefined
        ? noun === (event.kind === "run" ? "runs" : event.kind)
        : noun === "logs"
          ? event.kind === "log" && String(event.task_run) === about.split("@")[0]
          : "run" in event && String(event.run) === about;
    if (isMeant) yield topic;
  }
}

/** The connection of this browser window. */
export const live = new Live((after) => {
  const url = new URL("/api/v1/events", window.location.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (after !== null) url.searchParams.set("after", String(after));
  return new WebSocket(url);
});
