import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Dataset } from "../../api/model";
import { datasetOptions, useForgetDataset } from "../../api/queries/datasets";
import { useDenial } from "../../api/roles";
import { Button } from "../../components/Button";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { ErrorState } from "../../components/ErrorState";
import { IconButton } from "../../components/IconButton";
import { NotFound } from "../../components/NotFound";
import { PageHeader } from "../../components/PageHeader";
import { Skeleton } from "../../components/Skeleton";
import { TabLinks } from "../../components/TabLinks";
import { Tag } from "../../components/Tag";
import { Time } from "../../components/Time";
import { toast } from "../../components/toasts";
import { compact, plural } from "../../format/numbers";
import { ColumnsPart } from "./ColumnsPart";
import { EditDialog } from "./EditDialog";
import { HistoryPart } from "./HistoryPart";
import { LineagePart } from "./LineagePart";
import { LoadsPart } from "./LoadsPart";
import { TestsPart } from "./TestsPart";

const PARTS = {
  columns: "Columns",
  lineage: "Lineage",
  loads: "Loads",
  tests: "Tests",
  history: "History",
} as const;
type Part = keyof typeof PARTS;

/** A dataset: its columns, where they come from, how it was loaded, and what people wrote about it. */
export default function DatasetPage() {
  const { name, part } = useSearch({ from: "/inside/catalogue/dataset" });
  return name ? <Known key={name} name={name} part={part} /> : <NotFound />;
}

function Known({ name, part }: { name: string; part: string | undefined }) {
  const { data: found, error, refetch } = useQuery(datasetOptions(name));
  const navigate = useNavigate();
  const denial = useDenial("editor");
  const forget = useForgetDataset();
  const [isEditing, setEditing] = useState(false);
  const [isForgetting, setForgetting] = useState(false);
  if (error && !found) return <ErrorState error={error} onRetry={() => void refetch()} />;
  const parts = Object.keys(PARTS) as Part[];
  const shown = parts.find((one) => one === part) ?? "columns";

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title={name}
        summary={
          found ? <Summary dataset={found.data} /> : <Skeleton className="mt-1 h-3.5 w-64 max-w-full" />
        }
        actions={
          <>
            <IconButton
              icon={Trash2}
              label="Forget this dataset"
              reason={denial}
              onClick={() => setForgetting(true)}
            />
            <Button icon={Pencil} reason={denial} onClick={() => setEditing(true)}>
              Edit
            </Button>
          </>
        }
      >
        <TabLinks
          label="Parts of the dataset"
          items={parts.map((one) => ({
            label: PARTS[one],
            link: { to: "/catalogue/dataset", search: { name, part: one === "columns" ? undefined : one } },
            isActive: one === shown,
          }))}
        />
      </PageHeader>
      {found && shown === "columns" && <ColumnsPart dataset={found} />}
      {shown === "lineage" && <LineagePart name={name} dataset={found?.data} />}
      {shown === "loads" && <LoadsPart name={name} />}
      {shown === "tests" && <TestsPart name={name} />}
      {shown === "history" && <HistoryPart name={name} />}
      {found && isEditing && <EditDialog dataset={found} onClose={() => setEditing(false)} />}
      <ConfirmDialog
        open={isForgetting}
        onOpenChange={setForgetting}
        title={`Forget the dataset ${name}?`}
        action="Forget it"
        typeName={name}
        onConfirm={async () => {
          await forget.mutateAsync({ name, etag: found?.etag ?? null });
          toast(`The dataset ${name} is forgotten.`, { tone: "ok" });
          void navigate({ to: "/catalogue" });
        }}
      >
        What is written about it, its history and its lineage go. The data stays where it is, and the next run
        that reads or writes it makes it known again.
      </ConfirmDialog>
    </div>
  );
}

function Summary({ dataset }: { dataset: Dataset }) {
  const { description, owner, tags, is_external, updated_at, seen_at, rows_estimate, last } = dataset;
  return (
    <div className="flex flex-col gap-1">
      {description && <p className="max-w-prose whitespace-pre-wrap">{description}</p>}
      <div className="flex flex-wrap items-center gap-x-4 gap-y-0.5 text-xs">
        {updated_at ? (
          <span>
            Loaded <Time at={updated_at} />
            {last && (
              <>
                {" by "}
                <Link to="/runs/$id" params={{ id: String(last.run) }} className="underline">
                  run {last.run} of {last.pipeline}
                </Link>
              </>
            )}
          </span>
        ) : (
          <span>
            {is_external ? "Told by others" : "Read"} <Time at={seen_at} />
            {!is_external && ", never loaded"}
          </span>
        )}
        {rows_estimate !== null && rows_estimate !== undefined && (
          <span>about {plural(rows_estimate, "row").replace(/^[\d,]+/, compact(rows_estimate))}</span>
        )}
        {owner && (
          <span>
            Owner:{" "}
            <Link to="/catalogue" search={{ owner }} className="underline">
              {owner}
            </Link>
          </span>
        )}
        {tags.map((tag) => (
          <Link key={tag} to="/catalogue" search={{ tag }} className="hover:underline">
            <Tag>{tag}</Tag>
          </Link>
        ))}
      </div>
    </div>
  );
}
