import { ShieldCheck } from "lucide-react";
import { messageOf } from "../../../api/error";
import { useVerifyAudit } from "../../../api/queries/admin";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { CopyButton } from "../../../components/CopyButton";
import { Dialog } from "../../../components/Dialog";
import { count } from "../../../format/numbers";

/** Checks the log from its first line to its last, and says what it found. */
export function Verify() {
  const verify = useVerifyAudit();
  const { data, error, isPending } = verify;
  return (
    <>
      <Button icon={ShieldCheck} busy={isPending} onClick={() => verify.mutate()}>
        Verify
      </Button>
      <Dialog
        open={Boolean(data ?? error)}
        onOpenChange={(open) => !open && verify.reset()}
        title="The audit log"
        size="medium"
        footer={<Button onClick={() => verify.reset()}>Close</Button>}
      >
        <div className="flex flex-col gap-3 pb-2">
          {error && <Callout tone="fail">{messageOf(error)}</Callout>}
          {data?.whole && (
            <>
              <Callout tone="ok" title={`All ${count(data.number)} lines are as they were written`} />
              {data.hash && (
                <div>
                  <p className="mb-1 text-ink-2">
                    Note the hash of the last line elsewhere: it proves later that nothing before it was
                    rewritten.
                  </p>
                  <div className="flex items-start gap-2 rounded border bg-sunken p-2.5">
                    <code className="min-w-0 grow font-mono text-xs/5 wrap-anywhere">{data.hash}</code>
                    <CopyButton text={data.hash} what="the hash" />
                  </div>
                </div>
              )}
            </>
          )}
          {data && !data.whole && (
            <Callout tone="fail" title={`Line ${count(data.number)} is not as it was written`}>
              {data.what ?? "Somebody changed it, took lines out, or put lines in."}
            </Callout>
          )}
        </div>
      </Dialog>
    </>
  );
}
