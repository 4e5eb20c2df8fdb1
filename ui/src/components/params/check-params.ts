import type { Param } from "../../format/pipeline-outline";

/** What keeps a run from starting with these values, by parameter. */
export function paramMistakes(params: Param[], values: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, type, default: standard } of params) {
    const value = values[name];
    if (value === undefined) {
      if (standard === null && type !== "bool") found[name] = "It has no default: give a value.";
    } else if (type === "int" && !/^[+-]?\d+$/.test(value)) found[name] = "Give a whole number.";
    else if (type === "number" && !Number.isFinite(Number(value))) found[name] = "Give a number.";
  }
  return found;
}

/** The values as they are sent: a flag without a default and without a touch is off. */
export function paramValues(params: Param[], values: Record<string, string>): Record<string, string> {
  const off = params.filter(
    ({ type, name, default: standard }) => type === "bool" && standard === null && !(name in values),
  );
  return { ...values, ...Object.fromEntries(off.map(({ name }) => [name, "false"])) };
}
