import { beforeEach, expect, test } from "vitest";
import { Live, type LiveEvent } from "./live";

class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: unknown[] = [];
  constructor(readonly after: number | null) {}
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.onclose?.({ code: 1000 });
  }
  tell(message: unknown) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let sockets: FakeSocket[];
let timers: { action: () => void; ms: number }[];
let live: Live;

beforeEach(() => {
  sockets = [];
  timers = [];
  live = new Live(
    (after) => {
      const socket = new FakeSocket(after);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    { set: (action, ms) => timers.push({ action, ms }), clear: () => undefined },
    () => 1,
  );
});

function socket(): FakeSocket {
  const last = sockets.at(-1);
  if (!last) throw new Error("there is no socket");
  return last;
}

function runEvent(id: number, run: number): LiveEvent {
  const event = { id, at: "2026-01-01T00:00:00Z", event: "claimed", state: "running", attempt: 1 };
  return { kind: "run", id, run, pipeline: "shop", event };
}

test("the first listener connects, and each topic is told once", () => {
  const end = [live.subscribe("runs", () => undefined), live.subscribe("runs", () => undefined)];
  expect(sockets).toHaveLength(1);
  socket().onopen?.();
  expect(socket().sent).toEqual([{ subscribe: ["runs"] }]);
  end[0]?.();
  expect(socket().sent).toHaveLength(1);
  end[1]?.();
  expect(socket().sent.at(-1)).toEqual({ unsubscribe: ["runs"] });
});

test("events reach those who listen to what they are about", () => {
  const heard: string[] = [];
  live.subscribe("runs", () => heard.push("runs"));
  live.subscribe("run:7", () => heard.push("run:7"));
  live.subscribe("run:8", () => heard.push("run:8"));
  live.subscribe("workers", () => heard.push("workers"));
  socket().onopen?.();
  socket().tell({ kind: "hello", last: 1 });
  socket().tell(runEvent(2, 7));
  socket().tell({ kind: "workers" });
  expect(heard).toEqual(["runs", "run:7", "workers"]);
});

test("after a break it goes on after the last event, with longer pauses each time", () => {
  live.subscribe("runs", () => undefined);
  socket().onopen?.();
  socket().tell({ kind: "hello", last: 41 });
  socket().tell(runEvent(42, 7));
  socket().onclose?.({ code: 1006 });
  expect(live.state).toBe("waiting");
  timers.at(-1)?.action();
  expect(socket().after).toBe(42);
  socket().onclose?.({ code: 1006 });
  expect(timers.map((timer) => timer.ms)).toEqual([500, 1000]);
  timers.at(-1)?.action();
  socket().onopen?.();
  socket().tell({ kind: "hello", last: 42 });
  socket().onclose?.({ code: 1006 });
  expect(timers.at(-1)?.ms).toBe(500);
});

test("a log goes on after its last line", () => {
  live.subscribe("logs:5", () => undefined);
  socket().onopen?.();
  socket().tell({
    kind: "log",
    task_run: 5,
    attempt: 1,
    line: { number: 9, stream: "out", level: "info", text: "x" },
  });
  socket().onclose?.({ code: 1006 });
  timers.at(-1)?.action();
  socket().onopen?.();
  expect(socket().sent).toEqual([{ subscribe: ["logs:5@10"] }]);
});

test("whoever missed too much reads anew, whoever signed out hears no more", () => {
  const told: string[] = [];
  live.onBehind = () => told.push("behind");
  live.onStranger = () => told.push("stranger");
  live.subscribe("runs", () => undefined);
  socket().onopen?.();
  socket().tell({ kind: "behind", last: 99 });
  socket().onclose?.({ code: 4001 });
  expect(told).toEqual(["behind", "stranger"]);
  expect(live.state).toBe("closed");
  expect(timers).toHaveLength(0);
});
