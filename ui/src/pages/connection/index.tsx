import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { PlugZap, Trash2, Workflow } from "lucide-react";
import { useState } from "react";
import { useTestConnection } from "../../api/queries/connection-contents";
import { connectionOptions, connectorsOptions } from "../../api/queries/connections";
import { useDenial } from "../../api/roles";
import { Button } from "../../components/Button";
import { ButtonLink } from "../../components/ButtonLink";
import { DeleteConnection } from "../../components/connection/DeleteConnection";
import { Health } from "../../components/connection/Health";
import { ConnectorMark } from "../../components/ConnectorMark";
import { ErrorState } from "../../components/ErrorState";
import { IconButton } from "../../components/IconButton";
import { PageHeader } from "../../components/PageHeader";
import { Skeleton } from "../../components/Skeleton";
import { TabLinks } from "../../components/TabLinks";
import { FilesPart } from "./FilesPart";
import { SettingsPart } from "./SettingsPart";
import { StreamsPart } from "./StreamsPart";
import { TestDialog } from "./TestDialog";

const PARTS = { streams: "Streams", files: "Files", settings: "Settings" } as const;

export default function ConnectionPage() {
  const { name } = useParams({ from: "/inside/connections/$name" });
  const { part } = useSearch({ from: "/inside/connections/$name" });
  const navigate = useNavigate();
  const { data: connection, error, refetch } = useQuery(connectionOptions(name));
  const { data: connectors } = useQuery(connectorsOptions);
  const test = useTestConnection();
  const noTest = useDenial("operator");
  const noEdit = useDenial("editor");
  const [isTestShown, setTestShown] = useState(false);
  const [isDeleting, setDeleting] = useState(false);

  if (error && !connection) return <ErrorState error={error} onRetry={() => void refetch()} />;
  const connector = connectors?.items.find((one) => one.name === connection?.data.connector);
  const parts = (["streams", "files", "settings"] as const).filter(
    (one) => one !== "files" || connector?.files,
  );
  const usual = noEdit ? "settings" : "streams";
  const shown = parts.find((one) => one === part) ?? usual;

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title={
          <span className="inline-flex items-center gap-2">
            <ConnectorMark connector={connection?.data.connector} />
            {name}
          </span>
        }
        summary={
          connection ? (
            <span className="flex flex-wrap items-center gap-x-4 gap-y-0.5">
              <span className="min-w-0 font-mono text-xs wrap-anywhere">
                {connection.data.address ?? connector?.title}
              </span>
              <Health
                problem={connection.data.problem}
                tested={connection.data.tested}
                isTesting={test.isPending}
                error={test.error}
              />
            </span>
          ) : (
            <Skeleton className="mt-1 h-3.5 w-64 max-w-full" />
          )
        }
        actions={
          <>
            <IconButton
              icon={Trash2}
              label="Delete this connection"
              reason={noEdit}
              onClick={() => setDeleting(true)}
            />
            <Button
              icon={PlugZap}
              busy={test.isPending}
              reason={noTest}
              onClick={() => {
                test.mutate(name);
                setTestShown(true);
              }}
            >
              Test
            </Button>
            {!noEdit && (
              <ButtonLink
                to="/pipelines/new"
                search={{ step: "streams", source: name }}
                icon={Workflow}
                look="primary"
              >
                New pipeline
              </ButtonLink>
            )}
          </>
        }
      >
        <TabLinks
          label="Parts of the connection"
          items={parts.map((one) => ({
            label: PARTS[one],
            link: {
              to: "/connections/$name",
              params: { name },
              // the part that is shown unless another is named needs no name
              search: { part: one === usual ? undefined : one },
              activeOptions: { includeSearch: true, explicitUndefined: true },
            },
          }))}
        />
      </PageHeader>
      {connection && shown === "streams" && <StreamsPart connection={connection.data} />}
      {connection && shown === "files" && <FilesPart connection={name} />}
      {connection && connectors && shown === "settings" && (
        <SettingsPart saved={connection} connectors={connectors.items} />
      )}
      <TestDialog name={name} open={isTestShown} onOpenChange={setTestShown} test={test} />
      {connection && (
        <DeleteConnection
          connection={connection.data}
          open={isDeleting}
          onOpenChange={setDeleting}
          onDeleted={() => void navigate({ to: "/connections" })}
        />
      )}
    </div>
  );
}
