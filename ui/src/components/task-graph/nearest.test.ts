import { expect, test } from "vitest";
import { nearest } from "./nearest";

const chain = Array.from({ length: 1_000 }, (_, place) => ({
  name: `t${place}`,
  after: place === 0 ? [] : [`t${place - 1}`],
}));
const names = (tasks: { name: string }[]) => tasks.map((task) => task.name);

test("a small graph is there as a whole", () => {
  expect(nearest(chain.slice(0, 3), "t9", 3)).toHaveLength(3);
});

test("of a large one those around the task are there, in their order", () => {
  expect(names(nearest(chain, "t500", 5))).toEqual(["t498", "t499", "t500", "t501", "t502"]);
  expect(names(nearest(chain, "t0", 3))).toEqual(["t0", "t1", "t2"]);
});

test("without a task to begin with, it begins with the first", () => {
  expect(names(nearest(chain, undefined, 2))).toEqual(["t0", "t1"]);
  expect(names(nearest(chain, "gone", 2))).toEqual(["t0", "t1"]);
});

test("an edge to a task that is not there leads nowhere", () => {
  const tasks = [
    { name: "a", after: ["gone"] },
    { name: "b", after: ["a"] },
    { name: "c", after: [] },
  ];
  expect(names(nearest(tasks, "a", 2))).toEqual(["a", "b"]);
});
