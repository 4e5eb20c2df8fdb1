const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const NAMED: Record<string, string> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};
const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/**
 * What the API says of a schedule, in words for people: `30 6 * * 1-5 Europe/Lisbon` is `Mon to Fri at 06:30`. What has
 * no short words stays as it is written, but for the capital. The time zone is left out where it is the user's own.
 */
export function scheduleWords(
  fires: string,
  ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone,
): string {
  const every = /^every (\d+)s$/.exec(fires);
  if (every) return everyWords(Number(every[1]));
  const named = /^(@\w+)(?: (\S+))?$/.exec(fires);
  const parts = (named ? `${NAMED[named[1] ?? ""] ?? ""} ${named[2] ?? ""}` : fires).trim().split(" ");
  if (parts.length !== 5 && parts.length !== 6) return sentenceOf(fires);
  const [minute = "", hour = "", day = "", month = "", weekday = "", zone] = parts;
  const words = cronWords(minute, hour, day, month, weekday);
  if (!words) return sentenceOf(fires);
  return zone && zone !== ownZone ? `${words}, ${zone}` : words;
}

function everyWords(seconds: number): string {
  const [unit, size] = UNITS.find(([, unitSize]) => seconds % unitSize === 0) ?? ["s", 1];
  const amount = seconds / size;
  return `Every ${amount} ${unit}`;
}

function cronWords(minute: string, hour: string, day: string, month: string, weekday: string): string | null {
  const days = dayWords(day, month, weekday);
  if (days === null) return null;
  const within = days === "Daily" ? "" : `${days}, `;
  const step = /^\*\/(\d+)$/.exec(minute);
  if (hour === "*" && step) return sentenceOf(`${within}every ${step[1]} min`);
  if (hour === "*" && minute === "*") return sentenceOf(`${within}every minute`);
  if (hour === "*" && isNumber(minute)) return sentenceOf(`${within}hourly at :${minute.padStart(2, "0")}`);
  const hours = /^\*\/(\d+)$/.exec(hour);
  if (hours && isNumber(minute))
    return sentenceOf(`${within}every ${hours[1]} h at :${minute.padStart(2, "0")}`);
  if (!isNumber(minute) || !hour.split(",").every(isNumber)) return null;
  const times = hour.split(",").map((one) => `${one.padStart(2, "0")}:${minute.padStart(2, "0")}`);
  return `${days} at ${times.join(", ")}`;
}

/** Which days: all of them, some of each week, or one of each month or year. */
function dayWords(day: string, month: string, weekday: string): string | null {
  const isEveryMonth = month === "*";
  if (day === "*" && weekday === "*" && isEveryMonth) return "Daily";
  if (day === "*" && isEveryMonth) return weekWords(weekday);
  if (weekday !== "*") return null;
  const date = isNumber(day) ? `the ${ordinal(Number(day))}` : day === "L" ? "the last day" : null;
  if (date === null) return null;
  if (isEveryMonth) return `On ${date} of each month`;
  const name = isNumber(month) ? MONTHS[Number(month) - 1] : undefined;
  return name ? `On ${date} of ${name}` : null;
}

function weekWords(weekday: string): string | null {
  const name = (text: string) =>
    isNumber(text) ? DAYS[Number(text)] : DAYS.find((one) => one.toLowerCase() === text.toLowerCase());
  const range = /^(\w+)-(\w+)$/.exec(weekday);
  const names = range ? [name(range[1] ?? ""), name(range[2] ?? "")] : weekday.split(",").map(name);
  if (names.some((one) => one === undefined)) return null;
  return range ? names.join(" to ") : names.join(", ");
}

function ordinal(value: number): string {
  const tens = value % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][value % 10] ?? "th");
  return `${value}${ending}`;
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function sentenceOf(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
