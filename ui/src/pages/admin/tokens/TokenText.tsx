import type { NewTokenText } from "../../../api/model";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { CopyButton } from "../../../components/CopyButton";
import { Dialog } from "../../../components/Dialog";

/** The text of a new token, which is shown this once. */
export function TokenText({ made, onClose }: { made: NewTokenText; onClose: () => void }) {
  const command = `export LEVADA_TOKEN=${made.text}`;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`The token ${made.token.name} is made`}
      size="medium"
      footer={
        <Button look="primary" onClick={onClose}>
          I have copied it
        </Button>
      }
    >
      <div className="flex flex-col gap-3 pb-2">
        <Callout tone="warn" title="Copy it now">
          It is shown this once, and cannot be shown again.
        </Callout>
        <div className="flex items-start gap-2 rounded border bg-sunken p-2.5">
          <code data-testid="token" className="min-w-0 grow font-mono text-xs/5 wrap-anywhere select-all">
            {made.text}
          </code>
          <CopyButton text={made.text} what="the token" withWords />
        </div>
        <div className="flex items-start gap-2 rounded border bg-sunken p-2.5">
          <code className="min-w-0 grow font-mono text-xs/5 wrap-anywhere text-ink-2">{command}</code>
          <CopyButton text={command} what="for a shell" withWords />
        </div>
      </div>
    </Dialog>
  );
}
