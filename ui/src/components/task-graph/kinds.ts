import {
  Archive,
  ArchiveRestore,
  Bell,
  ClipboardCheck,
  Clock,
  Database,
  DatabaseZap,
  Globe,
  SquareTerminal,
  Workflow,
  ArrowRightLeft,
  CircleHelp,
  type LucideIcon,
} from "lucide-react";
import { sentence } from "../../format/status";

/** The icon of each kind of task, and of what else is drawn as a graph. */
const ICONS: Record<string, LucideIcon> = {
  sync: ArrowRightLeft,
  sql: DatabaseZap,
  check: ClipboardCheck,
  command: SquareTerminal,
  http: Globe,
  notify: Bell,
  pipeline: Workflow,
  wait: Clock,
  backup: Archive,
  restore: ArchiveRestore,
  dataset: Database,
};

export function kindIcon(kind: string | null): LucideIcon {
  return (kind && ICONS[kind]) || CircleHelp;
}

/** What a kind of task is called. */
export function kindName(kind: string): string {
  return kind === "http" || kind === "sql" ? kind.toUpperCase() : sentence(kind);
}

/** What each kind of task does, in a line. */
export const KIND_WORDS: Record<string, string> = {
  sync: "Copies streams from one connection to another",
  sql: "Executes a query over streams of connections, and loads its result",
  check: "Tests what a dataset holds",
  command: "Runs a program or a script",
  http: "Sends one HTTP request",
  notify: "Tells people through a channel",
  pipeline: "Starts another pipeline",
  wait: "Waits for a time, a file, a query or a dataset",
  backup: "Keeps the tables of a database as files",
  restore: "Makes the tables of a backup again",
};
