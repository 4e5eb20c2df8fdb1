import {
  BookMarked,
  BookOpen,
  Cable,
  Database,
  LayoutDashboard,
  ListTree,
  ScrollText,
  Settings2,
  SquareTerminal,
  Workflow,
  type LucideIcon,
} from "lucide-react";

export interface NavigationItem {
  to:
    | "/"
    | "/pipelines"
    | "/runs"
    | "/logs"
    | "/connections"
    | "/catalogue"
    | "/sql"
    | "/data"
    | "/reference"
    | "/admin";
  title: string;
  icon: LucideIcon;
  /** Leads there after `g`. */
  key: string;
  /** Other words to find it by. */
  words: string;
}

/** The pages of the rail, in its order; the palette and the keys use it too. */
export const NAVIGATION: NavigationItem[] = [
  { to: "/", title: "Overview", icon: LayoutDashboard, key: "o", words: "home health failures" },
  { to: "/pipelines", title: "Pipelines", icon: Workflow, key: "p", words: "schedules tasks" },
  { to: "/runs", title: "Runs", icon: ListTree, key: "r", words: "history jobs" },
  { to: "/logs", title: "Logs", icon: ScrollText, key: "l", words: "lines warnings errors recent" },
  {
    to: "/connections",
    title: "Connections",
    icon: Cable,
    key: "c",
    words: "sources destinations databases files",
  },
  {
    to: "/catalogue",
    title: "Catalogue",
    icon: BookMarked,
    key: "t",
    words: "datasets tables columns lineage freshness owners tags",
  },
  { to: "/sql", title: "SQL", icon: SquareTerminal, key: "q", words: "query queries select editor results" },
  { to: "/data", title: "Data API", icon: Database, key: "d", words: "collections reports rows" },
  {
    to: "/reference",
    title: "API reference",
    icon: BookOpen,
    key: "i",
    words: "openapi curl operations documentation",
  },
  {
    to: "/admin",
    title: "Admin",
    icon: Settings2,
    key: "a",
    words: "users tokens secrets audit workers settings about",
  },
];
