import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import { reportsOptions } from "../../../api/queries/data";
import { useMe } from "../../../api/queries/session";
import { hasRole } from "../../../api/roles";
import { CopyButton } from "../../../components/CopyButton";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorState } from "../../../components/ErrorState";
import { PageHeader } from "../../../components/PageHeader";
import { Skeleton } from "../../../components/Skeleton";
import { TabLinks } from "../../../components/TabLinks";
import { useUrlFilters } from "../../../components/use-url-filters";
import { ApiTab } from "../ApiTab";
import { RunReport } from "./RunReport";

export default function ReportPage() {
  const { report: name } = useParams({ from: "/inside/data/reports/$report" });
  const { data, error, refetch } = useQuery(reportsOptions);
  const [{ part = "run" }] = useUrlFilters<"part">();
  const me = useMe();
  const report = data?.find((one) => one.name === name);

  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (data && !report)
    return (
      <EmptyState title={`There is no report ${name}`}>
        It may have been taken out of the project since.
      </EmptyState>
    );
  const tab = (label: string, to = "run") => ({
    label,
    link: {
      to: "/data/reports/$report" as const,
      params: { report: name },
      search: (to === "run" ? {} : { part: to }) as never,
    },
    isActive: part === to,
  });
  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title={name}
        summary={
          report ? (
            <span className="flex flex-wrap items-center gap-x-2">
              {report.description && <span>{report.description}.</span>}
              <span className="flex items-center gap-0.5">
                <code className="font-mono text-xs">{report.path}</code>
                <CopyButton text={`${window.location.origin}${report.path}`} what="the address" />
              </span>
              <span>{report.access} reads</span>
            </span>
          ) : (
            <Skeleton className="mt-1 h-3.5 w-72 max-w-full" />
          )
        }
      >
        <TabLinks label={name} items={[tab("Run"), tab("API", "api")]} />
      </PageHeader>
      {report && part === "api" && <ApiTab noun="reports" path={report.path} />}
      {report &&
        part === "run" &&
        (hasRole(me, report.access) ? (
          <RunReport key={name} report={report} />
        ) : (
          <EmptyState icon={Lock} title={`This report takes the role ${report.access}`}>
            You are signed in as {me.name}, who has the role {me.role}. An administrator can change that.
          </EmptyState>
        ))}
    </div>
  );
}
