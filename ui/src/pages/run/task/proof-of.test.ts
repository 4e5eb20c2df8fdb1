import { expect, test } from "vitest";
import { holds, proofOf } from "./proof-of";

test("the proof of a sync is in its outputs, by stream", () => {
  const proof = proofOf({
    read: 12,
    written: 8,
    rejected: 1,
    streams: {
      a: { read: 10, repeated: 2, written: 7, rejected: 1, verified: 7 },
      b: { read: 2, repeated: 1, written: 1, rejected: 0, verified: null },
    },
  });
  expect(proof).toMatchObject({ repeated: 3, verified: 7 });
  expect(proof && holds(proof)).toBe(true);
  expect(proof?.streams?.map((one) => [one.stream, holds(one)])).toEqual([
    ["a", true],
    ["b", true],
  ]);
});

test("of very many streams only the sums are told", () => {
  expect(proofOf({ read: 5, written: 4, rejected: 0 })).toMatchObject({
    repeated: 1,
    streams: null,
    verified: null,
  });
});

test("outputs of other tasks prove nothing", () => {
  expect(proofOf({ written: 3 })).toBeNull();
  expect(proofOf(null)).toBeNull();
});
