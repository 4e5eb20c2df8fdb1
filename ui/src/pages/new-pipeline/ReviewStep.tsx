import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Play, Save } from "lucide-react";
import { useEffect, useEffectEvent, useMemo, useState } from "react";
import { ApiError, messageOf } from "../../api/error";
import {
  allPipelineNamesOptions,
  planOptions,
  useMakePipeline,
  validateOptions,
} from "../../api/queries/new-pipeline";
import { Button } from "../../components/Button";
import { Callout } from "../../components/Callout";
import { Code } from "../../components/Code";
import { CopyButton } from "../../components/CopyButton";
import { toast } from "../../components/toasts";
import { useDebounced } from "../../components/use-debounced";
import { freeName } from "../../format/connection-draft";
import { DetailFields } from "./DetailFields";
import { documentText, draftOfText } from "./document";
import { changed, suggestedName } from "./draft";
import { Mistakes } from "./Mistakes";
import { placed } from "./places";
import { PlanPanel } from "./PlanPanel";
import { StepFooter } from "./StepFooter";
import type { StepProps } from "./step-props";

const NOTHING: never[] = [];

/** The document and what it would do, to check, to name and to save. */
export function ReviewStep({ draft, onChange, onSaved }: StepProps & { onSaved: () => void }) {
  const navigate = useNavigate();
  const text = useMemo(() => documentText(draft), [draft]);
  const settled = useDebounced({ name: draft.name.trim() || "new", text }, 500);
  const { data: names } = useQuery(allPipelineNamesOptions);
  const valid = useQuery(validateOptions(settled.name, settled.text));
  const plan = useQuery({ ...planOptions(settled.name, settled.text), enabled: valid.isSuccess });
  const make = useMakePipeline();
  const [isTried, setTried] = useState(false);

  const error = make.error ?? valid.error ?? plan.error;
  const mistakes = useMemo(
    () => (error instanceof ApiError ? placed(error.mistakes, settled.text) : NOTHING),
    [error, settled.text],
  );
  const diagnostics = useMemo(
    () =>
      mistakes.flatMap(({ offset, message }) => {
        if (offset === null) return [];
        const end = settled.text.indexOf("\n", offset);
        return [
          {
            from: offset,
            to: Math.max(offset, end < 0 ? settled.text.length : end),
            severity: "error" as const,
            message,
          },
        ];
      }),
    [mistakes, settled.text],
  );
  const name = draft.name.trim();
  const nameMistake = !name
    ? "A pipeline needs a name."
    : name.includes("/")
      ? "A name has no slash."
      : names?.includes(name)
        ? "There is a pipeline of this name already."
        : undefined;

  const suggest = useEffectEvent(() => {
    if (!draft.name && draft.text === null)
      onChange((before) => changed(before, { name: freeName(suggestedName(before), names ?? []) }));
  });
  useEffect(() => {
    if (names) suggest();
  }, [names]);

  const save = (isRun: boolean) => {
    setTried(true);
    if (nameMistake) return;
    make.mutate(
      { name, text, isRun },
      {
        onSuccess: ({ run, problem }) => {
          onSaved();
          toast(`The pipeline ${name} is saved.`, { tone: "ok" });
          if (problem) toast(`It could not be started: ${messageOf(problem)}`, { tone: "fail" });
          if (run) void navigate({ to: "/runs/$id", params: { id: String(run.id) } });
          else void navigate({ to: "/pipelines/$name/$tab", params: { name, tab: "graph" } });
        },
      },
    );
  };
  const blocked = valid.error ? "The document has mistakes." : undefined;

  return (
    <>
      <div className="min-h-0 grow overflow-y-auto p-4 sm:p-6">
        <DetailFields
          draft={draft}
          onChange={onChange}
          nameMistake={isTried || draft.name ? nameMistake : undefined}
        />
        {(draft.foreign || error) && (
          <div className="mb-4 flex flex-col gap-3">
            {draft.foreign && (
              <Callout title="This document is written by hand">{`${draft.foreign} What follows is what it says.`}</Callout>
            )}
            {error && <Mistakes error={error} mistakes={mistakes} />}
          </div>
        )}
        <div className="grid gap-6 xl:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
          <section aria-labelledby="document-title" className="min-w-0">
            <div className="mb-2 flex h-8 items-center gap-2">
              <h2 id="document-title" className="grow font-semibold">
                Document
              </h2>
              <CopyButton text={text} what="the document" withWords />
            </div>
            <Code
              label="The document of the pipeline, YAML"
              language="yaml"
              value={text}
              height="clamp(280px, 52vh, 560px)"
              diagnostics={diagnostics}
              onChange={(next) => {
                if (next !== text) onChange(draftOfText(next));
              }}
            />
            <p className="mt-1.5 text-xs text-ink-3">
              What is written here counts. A change in one of the steps writes the document anew, without
              comments.
            </p>
          </section>
          <PlanPanel
            plan={plan.data}
            isPlanning={valid.isFetching || plan.isFetching}
            isOff={Boolean(error)}
          />
        </div>
      </div>
      <StepFooter step="review" reason={undefined}>
        <Button
          icon={Save}
          busy={make.isPending && !make.variables.isRun}
          reason={blocked}
          onClick={() => save(false)}
        >
          Save
        </Button>
        <Button
          icon={Play}
          look="primary"
          busy={make.isPending && make.variables.isRun}
          reason={blocked}
          onClick={() => save(true)}
        >
          Save and run
        </Button>
      </StepFooter>
    </>
  );
}
