import { useQuery } from "@tanstack/react-query";
import { Plus, Workflow } from "lucide-react";
import { overviewOptions } from "../../api/queries/overview";
import { useMe } from "../../api/queries/session";
import { hasRole } from "../../api/roles";
import { ButtonLink } from "../../components/ButtonLink";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { LoadDemo } from "../../components/LoadDemo";
import { PageHeader } from "../../components/PageHeader";
import { Skeleton } from "../../components/Skeleton";
import { CapacityPanel } from "./CapacityPanel";
import { FailuresPanel } from "./FailuresPanel";
import { FreshnessPanel } from "./FreshnessPanel";
import { HealthLine } from "./HealthLine";
import { MovedPanel } from "./MovedPanel";
import { RunningPanel } from "./RunningPanel";
import { UpcomingPanel } from "./UpcomingPanel";

export default function OverviewPage() {
  const { data, error, refetch } = useQuery(overviewOptions);
  const isEditor = hasRole(useMe(), "editor");

  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <>
      <PageHeader
        title="Overview"
        summary={data ? <HealthLine overview={data} /> : <Skeleton className="mt-1 h-3.5 w-72 max-w-full" />}
      />
      {data?.pipelines.total === 0 ? (
        <EmptyState
          icon={Workflow}
          title="Nothing runs here yet"
          action={
            isEditor && (
              <div className="flex flex-wrap justify-center gap-2">
                <ButtonLink to="/pipelines/new" look="primary" icon={Plus}>
                  New pipeline
                </ButtonLink>
                <LoadDemo />
              </div>
            )
          }
        >
          {isEditor
            ? "Make a pipeline: choose where data comes from, what to load, and where it goes. Or see a made-up shop at work first."
            : "Pipelines show up here when somebody makes some."}
        </EmptyState>
      ) : (
        <div
          key={data ? "read" : "reading"}
          className="grid gap-4 p-4 sm:p-6 lg:grid-cols-[minmax(0,1fr)_320px]"
        >
          <div className="flex min-w-0 flex-col gap-4">
            <FailuresPanel failures={data?.failures} />
            <RunningPanel running={data?.running} queued={data?.runs.queued} />
            <MovedPanel hours={data?.hours} />
          </div>
          <div className="flex min-w-0 flex-col gap-4">
            <UpcomingPanel upcoming={data?.upcoming} />
            <FreshnessPanel datasets={data?.datasets} />
            <CapacityPanel capacity={data?.capacity} />
          </div>
        </div>
      )}
    </>
  );
}
