/** Loads what draws graphs: whoever knows early that one will be drawn begins before its tasks are there. */
export function loadCanvas() {
  return import("./TaskGraphCanvas");
}
