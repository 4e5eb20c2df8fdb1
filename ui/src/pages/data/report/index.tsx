import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { reportsOptions } from "../../../api/queries/data";
import { useMe } from "../../../api/queries/session";
import { hasRole } from "../../../api/roles";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorState } from "../../../components/ErrorState";
import { TakesRole } from "../../../components/TakesRole";
import { useUrlFilters } from "../../../components/use-url-filters";
import { ApiTab } from "../ApiTab";
import { ServedPage } from "../ServedPage";
import { RunReport } from "./RunReport";

const PARTS = { run: "Run", api: "API" };

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
  return (
    <ServedPage name={name} served={report && { ...report, read: report.access }} parts={PARTS} part={part}>
      {report && part === "api" && <ApiTab noun="reports" path={report.path} />}
      {report &&
        part === "run" &&
        (hasRole(me, report.access) ? (
          <RunReport key={name} report={report} />
        ) : (
          <TakesRole what="This report takes" role={report.access} />
        ))}
    </ServedPage>
  );
}
