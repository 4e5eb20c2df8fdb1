import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { Versioned } from "../../api/client";
import { ApiError } from "../../api/error";
import type { PipelineDocument } from "../../api/model";
import { pipelineOptions } from "../../api/queries/pipelines";
import { ErrorState } from "../../components/ErrorState";
import { later } from "../../components/later";
import { NotFound } from "../../components/NotFound";
import { Skeleton } from "../../components/Skeleton";
import { SkeletonRows } from "../../components/SkeletonRows";
import { DraftBar } from "./DraftBar";
import { PipelineHeader } from "./PipelineHeader";
import { useDraft } from "./use-draft";

const rows = () => <SkeletonRows />;
const GraphTab = later(() => import("./graph/GraphTab"), rows);
const RunsTab = later(() => import("./runs/RunsTab"), rows);
const StreamsTab = later(() => import("./streams/StreamsTab"), rows);
const CodeTab = later(() => import("./code/CodeTab"), rows);
const SettingsTab = later(() => import("./settings/SettingsTab"), rows);

/** One pipeline: its tasks, its runs, its streams, its document and its settings. */
export default function PipelinePage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const { data, error, refetch } = useQuery(pipelineOptions(name));
  if (error instanceof ApiError && error.status === 404) return <NotFound />;
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <PageSkeleton />;
  return <Known key={name} document={data} />;
}

function Known({ document }: { document: Versioned<PipelineDocument> }) {
  const { tab } = useParams({ strict: false }) as { tab: string };
  const { name, version } = document.data;
  const draft = useDraft(name, document);
  const isWide = tab === "graph" || tab === "code" || tab === "runs" || tab === "streams";
  return (
    <div className={`flex min-h-full flex-col ${isWide ? "lg:h-full" : ""}`}>
      <PipelineHeader name={name} />
      <DraftBar pipeline={name} draft={draft} />
      {tab === "graph" && <GraphTab pipeline={name} draft={draft} />}
      {tab === "runs" && <RunsTab pipeline={name} />}
      {tab === "streams" && <StreamsTab pipeline={name} draft={draft} />}
      {tab === "code" && <CodeTab pipeline={name} version={version} draft={draft} />}
      {tab === "settings" && <SettingsTab pipeline={name} etag={document.etag} draft={draft} />}
      {!["graph", "runs", "streams", "code", "settings"].includes(tab) && <NotFound />}
    </div>
  );
}

function PageSkeleton() {
  return (
    <div aria-busy className="flex flex-col gap-3 px-4 pt-5 sm:px-6">
      <Skeleton className="h-6 w-48" />
      <Skeleton className="h-4 w-80 max-w-full" />
      <Skeleton className="mt-10 h-40 w-full" />
    </div>
  );
}
