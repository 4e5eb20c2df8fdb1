import { expect, test } from "vitest";
import { scheduleWords } from "./schedule-words";

test.each([
  ["every 20s", "Every 20 s"],
  ["every 120s", "Every 2 min"],
  ["every 5400s", "Every 90 min"],
  ["every 86400s", "Every 1 d"],
  ["30 2 * * * UTC", "Daily at 02:30"],
  ["30 2 * * * Europe/Lisbon", "Daily at 02:30, Europe/Lisbon"],
  ["0 6,18 * * * UTC", "Daily at 06:00, 18:00"],
  ["30 6 * * MON-FRI UTC", "Mon to Fri at 06:30"],
  ["0 9 * * 1,7 UTC", "Mon, Sun at 09:00"],
  ["*/15 * * * * UTC", "Every 15 min"],
  ["*/15 * * * 1-5 UTC", "Mon to Fri, every 15 min"],
  ["5 * * * * UTC", "Hourly at :05"],
  ["0 */4 * * * UTC", "Every 4 h at :00"],
  ["0 0 22 * * UTC", "On the 22nd of each month at 00:00"],
  ["0 0 11 * * UTC", "On the 11th of each month at 00:00"],
  ["0 0 L * * UTC", "On the last day of each month at 00:00"],
  ["@daily UTC", "Daily at 00:00"],
  ["@yearly", "On the 1st of Jan at 00:00"],
  ["after load succeeded", "After load succeeded"],
])("%s is %s", (fires, words) => {
  expect(scheduleWords(fires, "UTC")).toBe(words);
});

test.each(["30 2 15W * FRI#2 UTC", "10-40/15 8-17 * * * UTC", "0 */10 * * * * UTC", "@often UTC"])(
  "%s stays as it is written",
  (fires) => expect(scheduleWords(fires, "UTC")).toBe(fires),
);
