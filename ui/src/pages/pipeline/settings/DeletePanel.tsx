import { useNavigate } from "@tanstack/react-router";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useDeletePipeline } from "../../../api/queries/documents";
import { Button } from "../../../components/Button";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { Panel } from "../../../components/Panel";
import { toast } from "../../../components/toasts";
import { useAllowed } from "../use-allowed";

interface DeletePanelProps {
  pipeline: string;
  etag: string | null;
}

/** Takes a pipeline out of the project, after its name was typed. */
export function DeletePanel({ pipeline, etag }: DeletePanelProps) {
  const [isAsking, setAsking] = useState(false);
  const denial = useAllowed(pipeline, "editor");
  const remove = useDeletePipeline(pipeline);
  const navigate = useNavigate();
  return (
    <Panel title="Delete">
      <div className="flex flex-wrap items-center gap-3 p-3">
        <p className="min-w-0 grow basis-60 text-ink-2">
          Nothing starts it any more; what runs goes on. Its runs and what it loaded stay.
        </p>
        <Button icon={Trash2} look="danger" reason={denial} onClick={() => setAsking(true)}>
          Delete the pipeline
        </Button>
      </div>
      <ConfirmDialog
        open={isAsking}
        onOpenChange={setAsking}
        title={`Delete the pipeline ${pipeline}?`}
        action="Delete the pipeline"
        typeName={pipeline}
        onConfirm={async () => {
          await remove.mutateAsync(etag ?? "");
          toast(`The pipeline ${pipeline} is deleted.`, { tone: "ok" });
          void navigate({ to: "/pipelines" });
        }}
      >
        It is taken out of the project with its schedules. Its runs, their logs and the loaded data stay, and
        its versions are kept.
      </ConfirmDialog>
    </Panel>
  );
}
