import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { collectionsOptions } from "../../api/queries/data";
import { useMe } from "../../api/queries/session";
import { hasRole } from "../../api/roles";
import { EmptyState } from "../../components/EmptyState";
import { ErrorState } from "../../components/ErrorState";
import { TakesRole } from "../../components/TakesRole";
import { useUrlFilters } from "../../components/use-url-filters";
import { ApiTab } from "./ApiTab";
import { RowsTab } from "./rows";
import { SchemaTab } from "./SchemaTab";
import { ServedPage } from "./ServedPage";
import { UploadTab } from "./upload";

const PARTS = { rows: "Rows", schema: "Schema", upload: "Upload", api: "API" };

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
  return (
    <ServedPage name={name} served={collection} parts={PARTS} part={part}>
      {collection && part === "schema" && <SchemaTab collection={collection} />}
      {collection && part === "upload" && <UploadTab key={name} collection={collection} />}
      {collection && part === "api" && <ApiTab noun={collection.name} path={collection.path} />}
      {collection &&
        part === "rows" &&
        (hasRole(me, collection.read) ? (
          <RowsTab key={name} collection={collection} collections={data ?? []} />
        ) : (
          <TakesRole what="These rows take" role={collection.read} />
        ))}
    </ServedPage>
  );
}
