import { GitCompare, Redo2, Save, Undo2 } from "lucide-react";
import { useState } from "react";
import { ApiError, messageOf } from "../../api/error";
import { Button } from "../../components/Button";
import { Callout } from "../../components/Callout";
import { CodeDiff } from "../../components/CodeDiff";
import { Dialog } from "../../components/Dialog";
import { IconButton } from "../../components/IconButton";
import type { Draft } from "./use-draft";

interface DraftBarProps {
  pipeline: string;
  draft: Draft;
}

/** What can be done about changes that are not saved; nothing is shown without any. */
export function DraftBar({ pipeline, draft }: DraftBarProps) {
  const [dialog, setDialog] = useState<"review" | "other" | null>(null);
  const close = () => setDialog(null);
  if (!draft.isDirty) return null;
  const save = (over?: boolean) => {
    close();
    draft.save(over).catch((error: unknown) => {
      if (error instanceof ApiError && error.isStale) setDialog("other");
    });
  };
  return (
    <div className="border-b bg-warn-soft">
      <div className="flex flex-wrap items-center gap-2 px-4 py-1.5 sm:px-6">
        <p role="status" className="grow font-medium">
          {draft.other
            ? `Not saved, and version ${draft.other.version} was saved meanwhile`
            : "Changes that are not saved"}
        </p>
        <IconButton
          icon={Undo2}
          label="Undo"
          reason={draft.undo ? undefined : "Nothing to undo."}
          onClick={draft.undo}
        />
        <IconButton
          icon={Redo2}
          label="Redo"
          reason={draft.redo ? undefined : "Nothing to redo."}
          onClick={draft.redo}
        />
        <Button size="small" icon={GitCompare} onClick={() => setDialog("review")}>
          Review
        </Button>
        <Button size="small" onClick={draft.discard}>
          Discard
        </Button>
        <Button
          size="small"
          look="primary"
          icon={Save}
          busy={draft.isSaving}
          onClick={() => (draft.other ? setDialog("other") : save())}
        >
          Save
        </Button>
      </div>
      {draft.error !== null && (
        <div className="px-4 pb-2 sm:px-6">
          <Callout tone="fail" title="It was not saved">
            <Mistakes error={draft.error} />
          </Callout>
        </div>
      )}
      <Dialog
        open={dialog === "review"}
        onOpenChange={close}
        title="What changes"
        size="large"
        footer={
          <>
            <Button onClick={close}>Close</Button>
            <Button look="primary" icon={Save} busy={draft.isSaving} onClick={() => save()}>
              Save
            </Button>
          </>
        }
      >
        <CodeDiff
          before={draft.saved}
          after={draft.text}
          label="Differences to what is saved"
          height="56vh"
        />
      </Dialog>
      <Dialog
        open={dialog === "other"}
        onOpenChange={close}
        title="Somebody else changed it"
        description={`What is saved of ${pipeline} is newer than what you began with. This is what saving yours would make of theirs.`}
        size="large"
        footer={
          <>
            <Button onClick={close}>Look again</Button>
            <Button
              onClick={() => {
                close();
                draft.discard();
              }}
            >
              Take theirs
            </Button>
            <Button look="danger" busy={draft.isSaving} disabled={!draft.other} onClick={() => save(true)}>
              Save mine over it
            </Button>
          </>
        }
      >
        <CodeDiff
          before={draft.other?.text ?? draft.saved}
          after={draft.text}
          label="Theirs and yours"
          height="50vh"
        />
      </Dialog>
    </div>
  );
}

function Mistakes({ error }: { error: unknown }) {
  const mistakes = error instanceof ApiError ? error.mistakes : [];
  if (mistakes.length === 0) return messageOf(error);
  return (
    <ul className="list-inside list-disc">
      {mistakes.map((mistake) => (
        <li key={`${mistake.place.join()} ${mistake.message}`}>
          {mistake.place.length > 0 && (
            <span className="font-mono text-xs">{mistake.place.join(", ")}: </span>
          )}
          {mistake.message} {mistake.advice}
        </li>
      ))}
    </ul>
  );
}
