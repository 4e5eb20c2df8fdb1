import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import type { Role } from "./api/model";
import { queryClient } from "./api/query-client";
import { sessionOptions } from "./api/queries/session";
import { NotFound } from "./components/NotFound";
import { PageError } from "./components/PageError";
import { Root } from "./components/shell/Root";
import { Shell } from "./components/shell/Shell";
import { takeNext } from "./pages/sign-in/kept-next";
import { localPath } from "./pages/sign-in/local-path";
import { parseSearch, stringifySearch, takes } from "./search-params";

/** A step of the breadcrumb; the last one is the page itself. */
export interface Crumb {
  label: string;
  /** The page that the step leads to. */
  to?: "/pipelines" | "/runs" | "/connections" | "/catalogue" | "/data" | "/admin";
}

declare module "@tanstack/react-router" {
  interface StaticDataRouteOption {
    crumbs?: (params: Record<string, string>) => Crumb[];
    /** What whoever opens the page needs, everywhere or on something by its tag. */
    role?: Role;
  }
  interface Register {
    router: typeof router;
  }
}

const PIPELINES: Crumb = { label: "Pipelines", to: "/pipelines" };
const RUNS: Crumb = { label: "Runs", to: "/runs" };
const CONNECTIONS: Crumb = { label: "Connections", to: "/connections" };
const CATALOGUE: Crumb = { label: "Catalogue", to: "/catalogue" };
const DATA: Crumb = { label: "Data API", to: "/data" };

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Root,
  notFoundComponent: NotFound,
  errorComponent: PageError,
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "setup",
  component: lazyRouteComponent(() => import("./pages/setup")),
  staticData: { crumbs: () => [{ label: "Set up" }] },
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "sign-in",
  validateSearch: takes("next", "error"),
  component: lazyRouteComponent(() => import("./pages/sign-in")),
  staticData: { crumbs: () => [{ label: "Sign in" }] },
});

/** Everything behind the sign-in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  errorComponent: PageError,
  beforeLoad: async ({ context, location }) => {
    const me = await context.queryClient.ensureQueryData(sessionOptions);
    if (!me) throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { next: location.href } });
    const next = location.href === "/" ? takeNext() : null;
    if (next) throw redirect({ href: localPath(next), replace: true });
  },
});

const overview = createRoute({
  getParentRoute: () => inside,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/overview")),
  staticData: { crumbs: () => [{ label: "Overview" }] },
});

const pipelines = createRoute({
  getParentRoute: () => inside,
  path: "pipelines",
  validateSearch: takes("q", "tag", "owner", "state", "last", "sort"),
  component: lazyRouteComponent(() => import("./pages/pipelines")),
  staticData: { crumbs: () => [{ label: "Pipelines" }] },
});

const newPipeline = createRoute({
  getParentRoute: () => inside,
  path: "pipelines/new",
  validateSearch: takes("step", "source", "destination", "from"),
  component: lazyRouteComponent(() => import("./pages/new-pipeline")),
  staticData: { role: "editor", crumbs: () => [PIPELINES, { label: "New pipeline" }] },
});

const pipelineStart = createRoute({
  getParentRoute: () => inside,
  path: "pipelines/$name",
  beforeLoad: ({ params }) => {
    throw redirect({ to: "/pipelines/$name/$tab", params: { ...params, tab: "graph" }, replace: true });
  },
});

const pipeline = createRoute({
  getParentRoute: () => inside,
  path: "pipelines/$name/$tab",
  validateSearch: takes("task", "run", "view", "edit", "version", "q", "sort"),
  component: lazyRouteComponent(() => import("./pages/pipeline")),
  staticData: { crumbs: ({ name = "" }) => [PIPELINES, { label: name }] },
});

const runs = createRoute({
  getParentRoute: () => inside,
  path: "runs",
  validateSearch: takes("q", "pipeline", "state", "cause", "since", "until", "backfill", "sort"),
  component: lazyRouteComponent(() => import("./pages/runs")),
  staticData: { crumbs: () => [{ label: "Runs" }] },
});

const logs = createRoute({
  getParentRoute: () => inside,
  path: "logs",
  validateSearch: takes("q", "level", "pipeline", "since"),
  component: lazyRouteComponent(() => import("./pages/logs")),
  staticData: { crumbs: () => [{ label: "Logs" }] },
});

const compareRuns = createRoute({
  getParentRoute: () => inside,
  path: "runs/compare",
  validateSearch: takes("a", "b"),
  component: lazyRouteComponent(() => import("./pages/runs/compare")),
  staticData: { crumbs: () => [RUNS, { label: "Compare" }] },
});

const run = createRoute({
  getParentRoute: () => inside,
  path: "runs/$id",
  validateSearch: takes("view", "task", "item", "attempt", "line", "part", "from", "to", "q", "state"),
  component: lazyRouteComponent(() => import("./pages/run")),
  staticData: { crumbs: ({ id = "" }) => [RUNS, { label: `Run ${id}` }] },
});

const connections = createRoute({
  getParentRoute: () => inside,
  path: "connections",
  validateSearch: takes("q", "connector"),
  component: lazyRouteComponent(() => import("./pages/connections")),
  staticData: { crumbs: () => [{ label: "Connections" }] },
});

const newConnection = createRoute({
  getParentRoute: () => inside,
  path: "connections/new",
  validateSearch: takes("connector", "name", "next"),
  component: lazyRouteComponent(() => import("./pages/connection/new")),
  staticData: { role: "editor", crumbs: () => [CONNECTIONS, { label: "New connection" }] },
});

const connection = createRoute({
  getParentRoute: () => inside,
  path: "connections/$name",
  validateSearch: takes("part", "q", "stream"),
  component: lazyRouteComponent(() => import("./pages/connection")),
  staticData: { crumbs: ({ name = "" }) => [CONNECTIONS, { label: name }] },
});

const catalogue = createRoute({
  getParentRoute: () => inside,
  path: "catalogue",
  validateSearch: takes("q", "connection", "tag", "owner", "sort"),
  component: lazyRouteComponent(() => import("./pages/catalogue")),
  staticData: { crumbs: () => [{ label: "Catalogue" }] },
});

// a name can hold whatever files are called, which no path can
const dataset = createRoute({
  getParentRoute: () => inside,
  path: "catalogue/dataset",
  validateSearch: takes("name", "part", "column", "view"),
  component: lazyRouteComponent(() => import("./pages/dataset")),
  staticData: { crumbs: () => [CATALOGUE, { label: "Dataset" }] },
});

const sql = createRoute({
  getParentRoute: () => inside,
  path: "sql",
  validateSearch: takes("q"),
  component: lazyRouteComponent(() => import("./pages/sql")),
  staticData: { role: "editor", crumbs: () => [{ label: "SQL" }] },
});

const data = createRoute({
  getParentRoute: () => inside,
  path: "data",
  validateSearch: takes("q", "kind", "sort"),
  component: lazyRouteComponent(() => import("./pages/data")),
  staticData: { crumbs: () => [{ label: "Data API" }] },
});

const collection = createRoute({
  getParentRoute: () => inside,
  path: "data/$collection",
  // columns of a collection can be filters too, so all of them pass
  validateSearch: texts,
  component: lazyRouteComponent(() => import("./pages/data/collection")),
  staticData: { crumbs: ({ collection: name = "" }) => [DATA, { label: name }] },
});

const report = createRoute({
  getParentRoute: () => inside,
  path: "data/reports/$report",
  // its parameters are here too
  validateSearch: texts,
  component: lazyRouteComponent(() => import("./pages/data/report")),
  staticData: { crumbs: ({ report: name = "" }) => [DATA, { label: name }] },
});

const reference = createRoute({
  getParentRoute: () => inside,
  path: "reference",
  validateSearch: takes("q", "operation", "schema"),
  component: lazyRouteComponent(() => import("./pages/reference")),
  staticData: { crumbs: () => [{ label: "API reference" }] },
});

const adminStart = createRoute({
  getParentRoute: () => inside,
  path: "admin",
  beforeLoad: ({ context }) => {
    const section =
      context.queryClient.getQueryData(sessionOptions.queryKey)?.role === "admin" ? "users" : "tokens";
    throw redirect({ to: "/admin/$section", params: { section }, replace: true });
  },
});

const admin = createRoute({
  getParentRoute: () => inside,
  path: "admin/$section",
  validateSearch: takes("q", "role", "all", "actor", "action", "object", "outcome", "since", "until", "sort"),
  component: lazyRouteComponent(() => import("./pages/admin")),
  staticData: {
    crumbs: ({ section = "" }) => [{ label: "Admin", to: "/admin" }, { label: capital(section) }],
  },
});

const nowhere = createRoute({
  getParentRoute: () => inside,
  path: "$",
  component: NotFound,
  staticData: { crumbs: () => [{ label: "Not found" }] },
});

function texts(search: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(search).map(([name, value]) => [name, String(value)]));
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** Every page, with the search parameters that it takes and the role that it needs. */
export const router = createRouter({
  routeTree: root.addChildren([
    setup,
    signIn,
    inside.addChildren([
      overview,
      pipelines,
      newPipeline,
      pipelineStart,
      pipeline,
      runs,
      logs,
      compareRuns,
      run,
      connections,
      newConnection,
      connection,
      catalogue,
      dataset,
      sql,
      data,
      collection,
      report,
      reference,
      adminStart,
      admin,
      nowhere,
    ]),
  ]),
  context: { queryClient },
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultErrorComponent: PageError,
  defaultPendingMs: 400,
  scrollRestoration: true,
});
