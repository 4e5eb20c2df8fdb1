import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { FileCode2, RotateCcw } from "lucide-react";
import { useEffect, useEffectEvent, useState } from "react";
import { pipelineOptions } from "../../api/queries/pipelines";
import { Button } from "../../components/Button";
import { IconButton } from "../../components/IconButton";
import { PageHeader } from "../../components/PageHeader";
import { toast } from "../../components/toasts";
import { ColumnsStep } from "./ColumnsStep";
import { DestinationStep } from "./DestinationStep";
import { draftOfText } from "./document";
import { changed, emptyDraft, reachable, type Draft } from "./draft";
import { ModesStep } from "./ModesStep";
import { ReviewStep } from "./ReviewStep";
import { ScheduleStep } from "./ScheduleStep";
import { SourceStep } from "./SourceStep";
import { StartDialog } from "./StartDialog";
import { Stepper } from "./Stepper";
import { StreamsStep } from "./StreamsStep";
import { useDraft } from "./use-draft";

export default function NewPipelinePage() {
  const search = useSearch({ from: "/inside/pipelines/new" });
  const navigate = useNavigate();
  const { draft, setDraft, clear } = useDraft(search.source, search.destination);
  const [isStarting, setStarting] = useState(false);
  const step = reachable(draft, search.step);
  const isBegun = draft.source !== null || draft.text !== null;
  useCopy(search.from, setDraft);

  const startFrom = (text: string) => {
    setDraft(draftOfText(text));
    void navigate({ to: "/pipelines/new", search: { step: "review" } });
  };
  const startOver = () => {
    const before = draft;
    setDraft(emptyDraft());
    void navigate({ to: "/pipelines/new", search: { step: "source" } });
    toast("The draft is gone.", { action: { label: "Undo", run: () => setDraft(before) } });
  };
  const props = { draft, onChange: setDraft };

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title="New pipeline"
        summary={summary(draft)}
        actions={
          <>
            {isBegun && <IconButton icon={RotateCcw} label="Start over" onClick={startOver} />}
            <Button icon={FileCode2} onClick={() => setStarting(true)}>
              From YAML or an example
            </Button>
          </>
        }
      >
        <Stepper draft={draft} current={step} />
      </PageHeader>
      {step === "source" && <SourceStep {...props} />}
      {step === "streams" && <StreamsStep {...props} />}
      {step === "destination" && <DestinationStep {...props} />}
      {step === "modes" && <ModesStep {...props} />}
      {step === "columns" && <ColumnsStep {...props} />}
      {step === "schedule" && <ScheduleStep {...props} />}
      {step === "review" && <ReviewStep {...props} onSaved={clear} />}
      <StartDialog open={isStarting} onOpenChange={setStarting} onText={startFrom} />
    </div>
  );
}

/** Starts from the document of another pipeline, where the link says so. */
function useCopy(name: string | undefined, setDraft: (draft: Draft) => void): void {
  const navigate = useNavigate();
  const { data } = useQuery({ ...pipelineOptions(name ?? ""), enabled: name !== undefined });
  const start = useEffectEvent((text: string) => {
    const copy = draftOfText(text);
    setDraft(copy.foreign ? copy : changed(copy, { name: `${name}_copy` }));
    void navigate({ to: "/pipelines/new", search: { step: "review" }, replace: true });
  });
  useEffect(() => {
    if (data) start(data.data.text);
  }, [data]);
}

function summary({ source, destination, streams, foreign }: Draft): string {
  if (foreign) return "From a document written by hand.";
  if (!source) return "From a source to a destination, in a few steps.";
  const what =
    streams.length > 0 ? `${streams.length} ${streams.length === 1 ? "stream" : "streams"} from ` : "From ";
  return `${what}${source}${destination ? ` to ${destination}` : ""}.`;
}
