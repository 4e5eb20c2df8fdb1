import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { openApiOptions } from "../../api/openapi";
import { ErrorState } from "../../components/ErrorState";
import { Skeleton } from "../../components/Skeleton";
import { OperationCard } from "../reference/OperationCard";
import { operationsOf } from "../reference/operations";

interface ApiTabProps {
  /** The noun of the operations. */
  noun: string;
  /** Where they are. */
  path: string;
}

/** The generated documentation of what is served at a path, with a command for each operation. */
export function ApiTab({ noun, path }: ApiTabProps) {
  const { data, error, refetch } = useQuery(openApiOptions);
  const operations = useMemo(
    () =>
      data
        ? operationsOf(data).filter(
            (one) => one.noun === noun && (one.path === path || one.path.startsWith(`${path}/`)),
          )
        : [],
    [data, noun, path],
  );
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <div className="min-h-0 grow overflow-y-auto">
      <div className="flex max-w-5xl flex-col gap-3 p-4 sm:p-6">
        {data
          ? operations.map((operation) => (
              <OperationCard key={operation.id} operation={operation} document={data} />
            ))
          : Array.from({ length: 6 }, (_, index) => (
              <Skeleton key={index} className="h-11 w-full rounded-lg" />
            ))}
      </div>
    </div>
  );
}
