/** What the API tells of logs, and what it is asked for. */
import type { components } from "./schema";

type Schemas = components["schemas"];
export type LogLevel = Schemas["Level"];
/** Who wrote a line: the program, on one of its two ways out, or Levada itself. */
export type LogStream = Schemas["LogStream"];
/** A line of a log. */
export type LogLine = Schemas["Line"];
/** A page of a log. */
export type LogPage = Schemas["Lines"];
/** A line with where it was written. */
export type RecentLine = Schemas["RecentLine"];

/** Which lines are meant: those of a level at least, of one stream, that hold a text; case never counts. */
export interface LogFilter {
  level?: LogLevel;
  stream?: LogStream;
  contains?: string;
}

/** Which log: of a task or an item of it, and of which attempt; the last one unless given. */
export interface LogOf {
  run: number;
  task: string;
  item?: number | undefined;
  attempt?: number | undefined;
}

/** Where in a log to begin, and how many lines at most; without a beginning and a filter, the last ones. */
export interface LogRange extends LogFilter {
  from?: number;
  limit: number;
}

/** Which of the newest lines of all logs are meant. */
export interface RecentFilter extends LogFilter {
  pipeline?: string;
  since?: string;
}
