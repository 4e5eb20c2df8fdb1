const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** A number with its thousands grouped: `1,234,567`. */
export function count(value: number): string {
  return GROUPED.format(value);
}

/** A number for narrow places: `1.2M`. */
export function compact(value: number): string {
  return COMPACT.format(value);
}

/** A size in decimal units with three significant digits: `1.23 GB`. */
export function bytes(value: number): string {
  let [size, unit] = [value, 0];
  while (Math.abs(size) >= 999.5 && unit < UNITS.length - 1) [size, unit] = [size / 1000, unit + 1];
  const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}

/** A part of a whole: `98 %`. Nothing but all of it is `100 %`, nothing but none of it `0 %`. */
export function percent(part: number): string {
  const rounded = Math.round(part * 100);
  const shown = part < 1 && rounded === 100 ? 99 : part > 0 && rounded === 0 ? 1 : rounded;
  return `${shown} %`;
}

/** `1 run`, `2 runs`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
