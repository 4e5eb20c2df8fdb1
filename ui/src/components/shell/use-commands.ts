import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate, type NavigateOptions } from "@tanstack/react-router";
import {
  BookMarked,
  Cable,
  CircleHelp,
  Link2,
  ListTree,
  LogOut,
  Plus,
  Settings2,
  Terminal,
  Workflow,
  type LucideIcon,
} from "lucide-react";
import type { Hit } from "../../api/model";
import { searchOptions } from "../../api/queries/search";
import { useMe, useSignOut } from "../../api/queries/session";
import { hasRole, hasRoleSomewhere } from "../../api/roles";
import { NAVIGATION } from "../../navigation";
import { SECTIONS } from "../../pages/admin/sections";
import { setTheme } from "../theme";
import { toast } from "../toasts";
import { useDebounced } from "../use-debounced";
import { fits, namedIn, type Command, type WordedCommand } from "./commands";
import { equivalentsOf } from "./equivalents";
import { THEMES } from "./ThemeSwitch";
import { useDatasetCommands } from "./use-dataset-commands";
import { usePipelineCommands } from "./use-pipeline-commands";

interface CommandGroup {
  title: string;
  commands: Command[];
}

const HIT_ICONS: Record<Hit["kind"], LucideIcon> = {
  run: ListTree,
  pipeline: Workflow,
  connection: Cable,
  dataset: BookMarked,
};

/** What the palette offers for a text; what is not for this user is not offered. */
export function useCommands(
  text: string,
  onHelp: () => void,
): { groups: CommandGroup[]; isSearching: boolean; isSettled: boolean } {
  const wanted = useDebounced(text.trim(), 80);
  const named = namedIn(wanted);
  const found = useQuery({ ...searchOptions(named), placeholderData: keepPreviousData });
  const hits = wanted ? (found.data?.items ?? []) : [];
  const me = useMe();
  const navigate = useNavigate();
  const signOut = useSignOut();
  const { pathname, search } = useLocation();
  const go = (to: NavigateOptions) => () => void navigate(to);
  // not before what is found: what Enter means would change while it is pressed
  const isFound = found.isFetched && !found.isPlaceholderData;
  const datasets = useDatasetCommands(isFound ? named : "");
  const isPipeline = hits.some((hit) => hit.kind === "pipeline");
  const ofPipelines = usePipelineCommands(hits, isPipeline ? undefined : openPipeline(pathname));

  const sections = SECTIONS.filter((section) => hasRole(me, section.role)).map((section) => ({
    id: `admin ${section.id}`,
    title: `Admin: ${section.title}`,
    words: section.id,
    icon: Settings2,
    run: go({ to: "/admin/$section", params: { section: section.id } }),
  }));
  const pages: WordedCommand[] = NAVIGATION.map((item) => ({
    id: item.to,
    title: item.title,
    icon: item.icon,
    keys: ["g", item.key],
    words: item.words,
    run: go({ to: item.to }),
  }));
  const things = hits.map((hit) => ({
    id: idOf(hit),
    title: titleOf(hit),
    detail: hit.detail ?? undefined,
    icon: HIT_ICONS[hit.kind],
    run: go(placeOf(hit)),
  }));
  const isEditor = hasRoleSomewhere(me, "editor");
  const actions = [
    ...(isEditor
      ? [
          {
            id: "new-pipeline",
            title: "New pipeline",
            words: "create add",
            icon: Plus,
            run: go({ to: "/pipelines/new" }),
          },
        ]
      : []),
    ...(isEditor
      ? [
          {
            id: "new-connection",
            title: "New connection",
            words: "create add",
            icon: Plus,
            run: go({ to: "/connections/new" }),
          },
        ]
      : []),
    {
      id: "link",
      title: "Copy a link to this page",
      words: "share url",
      icon: Link2,
      run: copied(window.location.href),
    },
    ...equivalentCommands(pathname, search),
    {
      id: "help",
      title: "Show the keys",
      words: "shortcuts help keyboard",
      icon: CircleHelp,
      keys: ["?"],
      run: () => setTimeout(onHelp),
    },
    ...THEMES.map(({ value, label, icon }) => ({
      id: `theme ${value}`,
      title: `Theme: ${label.toLowerCase()}`,
      words: "dark light colours appearance",
      icon,
      run: () => setTheme(value),
    })),
    { id: "sign-out", title: "Sign out", words: "log out leave", icon: LogOut, run: () => signOut.mutate() },
  ];

  // what can be done with the pipeline on the page has to be named; one that was found is named already
  const done = ofPipelines.filter(({ title }) => isPipeline || fits({ title, words: "resume" }, wanted));
  const groups = [
    { title: "Found", commands: things },
    { title: "Data", commands: datasets },
    {
      title: "Pages",
      commands: [...pages, ...(wanted ? sections : [])].filter((page) => fits(page, wanted)),
    },
    { title: "Actions", commands: [...done, ...actions.filter((action) => fits(action, wanted))] },
  ];
  return {
    groups: groups.filter((group) => group.commands.length > 0),
    isSearching: found.isFetching,
    isSettled: wanted === text.trim() && (named === "" || isFound),
  };
}

/** The pipeline whose page is open. */
function openPipeline(pathname: string): string | undefined {
  const name = /^\/pipelines\/([^/]+)\/./.exec(pathname)?.[1];
  return name && decodeURIComponent(name);
}

function idOf(hit: Hit): string {
  return `${hit.kind} ${hit.run ?? hit.name}`;
}

function titleOf(hit: Hit): string {
  return hit.kind === "run" ? `Run ${hit.run} of ${hit.name}` : hit.name;
}

function placeOf(hit: Hit): NavigateOptions {
  switch (hit.kind) {
    case "run":
      return { to: "/runs/$id", params: { id: String(hit.run) } };
    case "pipeline":
      return { to: "/pipelines/$name/$tab", params: { name: hit.name, tab: "graph" } };
    case "connection":
      return { to: "/connections/$name", params: { name: hit.name } };
    case "dataset":
      return { to: "/catalogue/dataset", search: { name: hit.name } };
  }
}

/** The request and the command for what the page shows. */
function equivalentCommands(pathname: string, search: Partial<Record<string, string>>) {
  const { curl, cli } = equivalentsOf(window.location.origin, pathname, search) ?? { curl: null, cli: null };
  const known = [
    { id: "curl", title: "Copy this page as curl", words: "api request", text: curl },
    { id: "cli", title: "Copy this page as a command", words: "cli terminal shell levada", text: cli },
  ];
  return known.flatMap(({ text, ...command }) =>
    text ? [{ ...command, icon: Terminal, run: copied(text) }] : [],
  );
}

function copied(text: string): () => void {
  return () => void navigator.clipboard.writeText(text).then(() => toast("Copied.", { tone: "ok" }));
}
