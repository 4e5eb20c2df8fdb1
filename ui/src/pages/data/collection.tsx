import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import { collectionsOptions } from "../../api/queries/data";
import { useMe } from "../../api/queries/session";
import { hasRole } from "../../api/roles";
import { CopyButton } from "../../components/CopyButton";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { PageHeader } from "../../components/PageHeader";
import { Skeleton } from "../../components/Skeleton";
import { TabLinks } from "../../components/TabLinks";
import { useUrlFilters } from "../../components/use-url-filters";
import { ApiTab } from "./ApiTab";
import { RowsTab } from "./rows";
import { SchemaTab } from "./SchemaTab";
import { accessWords } from "./served";
import { UploadTab } from "./upload";

export default function CollectionPage() {
  const { collection: name } = useParams({ from: "/inside/data/$collection" });
  const { data, error, refetch } = useQuery(collectionsOptions);
  const [{ part = "rows" }] = useUrlFilters<"part">();
  const me = useMe();
  const collection = data?.find((one) => one.name === name);

  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (data && !collection)
    return (
      <EmptyState title={`There is no collection ${name}`}>
        It may have been taken out of the project since.
      </EmptyState>
    );
  const tab = (label: string, to = "rows") => ({
    label,
    link: {
      to: "/data/$collection" as const,
      params: { collection: name },
      search: (to === "rows" ? {} : { part: to }) as never,
    },
    isActive: part === to,
  });
  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title={name}
        summary={
          collection ? (
            <span className="flex flex-wrap items-center gap-x-2">
              {collection.description && <span>{collection.description}.</span>}
              <span className="flex items-center gap-0.5">
                <code className="font-mono text-xs">{collection.path}</code>
                <CopyButton text={`${window.location.origin}${collection.path}`} what="the address" />
              </span>
              <span>{accessWords(collection)}</span>
            </span>
          ) : (
            <Skeleton className="mt-1 h-3.5 w-72 max-w-full" />
          )
        }
      >
        <TabLinks
          label={name}
          items={[tab("Rows"), tab("Schema", "schema"), tab("Upload", "upload"), tab("API", "api")]}
        />
      </PageHeader>
      {collection && part === "schema" && <SchemaTab collection={collection} />}
      {collection && part === "upload" && <UploadTab key={name} collection={collection} />}
      {collection && part === "api" && <ApiTab noun={collection.name} path={collection.path} />}
      {collection &&
        part === "rows" &&
        (hasRole(me, collection.read) ? (
          <RowsTab key={name} collection={collection} collections={data ?? []} />
        ) : (
          <EmptyState icon={Lock} title={`These rows take the role ${collection.read}`}>
            You are signed in as {me.name}, who has the role {me.role}. An administrator can change that.
          </EmptyState>
        ))}
    </div>
  );
}
