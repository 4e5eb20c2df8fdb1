import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft, BookOpen, FileJson } from "lucide-react";
import { useMemo } from "react";
import { openApiOptions, type OpenApi } from "../../api/openapi";
import { buttonClasses } from "../../components/button-classes";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { PageHeader } from "../../components/PageHeader";
import { SearchInput } from "../../components/SearchInput";
import { Skeleton } from "../../components/Skeleton";
import { useUrlFilters } from "../../components/use-url-filters";
import { plural } from "../../format/numbers";
import { OperationDetail } from "./OperationDetail";
import { OperationList } from "./OperationList";
import { found, operationsOf } from "./operations";
import { SchemaDetail } from "./SchemaDetail";

export default function ReferencePage() {
  const { data, error, refetch } = useQuery(openApiOptions);
  const [{ q = "", operation, schema }, setFilters] = useUrlFilters<"q" | "operation" | "schema">();
  const operations = useMemo(() => (data ? operationsOf(data) : undefined), [data]);
  const shown = useMemo(() => operations?.filter((one) => found(one, q)), [operations, q]);
  const isChosen = Boolean(operation ?? schema);

  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title="API reference"
        summary={
          operations
            ? `${plural(operations.length, "operation")}, each with who may call it and its command`
            : "Every operation, with who may call it and its command"
        }
        actions={
          <a href="/api/v1/openapi.json" target="_blank" rel="noreferrer" className={buttonClasses({})}>
            <FileJson className="size-3.5" aria-hidden />
            OpenAPI document
          </a>
        }
      />
      <div className="flex min-h-0 grow">
        <aside
          className={
            isChosen
              ? "flex w-80 shrink-0 flex-col border-r max-lg:hidden"
              : "flex w-80 shrink-0 flex-col border-r max-lg:w-full max-lg:border-r-0"
          }
        >
          <div className="border-b p-2">
            <SearchInput
              label="Search operations"
              value={q}
              onValueChange={(next) => setFilters({ q: next })}
            />
          </div>
          {shown && data ? (
            <OperationList operations={shown} schemas={schemasLike(data, q)} q={q} />
          ) : (
            <ListSkeleton />
          )}
        </aside>
        <div
          className={isChosen ? "min-w-0 grow overflow-y-auto" : "min-w-0 grow overflow-y-auto max-lg:hidden"}
        >
          {isChosen && (
            <Link
              to="/reference"
              search={q ? { q } : {}}
              className="flex items-center gap-1.5 px-4 pt-3 text-ink-2 hover:text-ink sm:px-6 lg:hidden"
            >
              <ArrowLeft className="size-3.5" aria-hidden />
              All operations
            </Link>
          )}
          {data && operations && (
            <Chosen document={data} operations={operations} operation={operation} schema={schema} />
          )}
        </div>
      </div>
    </div>
  );
}

interface ChosenProps {
  document: OpenApi;
  operations: ReturnType<typeof operationsOf>;
  operation: string | undefined;
  schema: string | undefined;
}

function Chosen({ document, operations, operation, schema }: ChosenProps) {
  const known = operations.find((one) => one.id === operation);
  if (known) return <OperationDetail key={known.id} operation={known} document={document} />;
  if (schema && document.components.schemas[schema])
    return <SchemaDetail key={schema} name={schema} document={document} operations={operations} />;
  if (operation ?? schema)
    return (
      <EmptyState title={`There is no ${operation ?? schema} in this API`}>
        Search for what it does.
      </EmptyState>
    );
  return (
    <EmptyState icon={BookOpen} title="Choose an operation">
      <p>Programs use a token, made in Admin, as</p>
      <code className="font-mono text-xs">Authorization: Bearer $LEVADA_TOKEN</code>
    </EmptyState>
  );
}

/** Schemas with a name that is looked for; without one there are too many to be of use. */
function schemasLike(document: OpenApi, text: string): string[] {
  const wanted = text.trim().toLowerCase();
  return wanted
    ? Object.keys(document.components.schemas).filter((name) => name.toLowerCase().includes(wanted))
    : [];
}

function ListSkeleton() {
  return (
    <div aria-busy className="flex flex-col gap-3 p-3">
      {Array.from({ length: 18 }, (_, index) => (
        <Skeleton key={index} className="h-4 w-4/5" />
      ))}
    </div>
  );
}
