import { messageOf } from "../../api/error";
import type { useTestConnection } from "../../api/queries/connection-contents";
import { Button } from "../../components/Button";
import { Callout } from "../../components/Callout";
import { TestSteps } from "../../components/connection/TestSteps";
import { Dialog } from "../../components/Dialog";

interface TestDialogProps {
  name: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  test: ReturnType<typeof useTestConnection>;
}

/** The test of a saved connection, step by step. */
export function TestDialog({ name, open, onOpenChange, test }: TestDialogProps) {
  const { data, error, isPending } = test;
  const title = isPending ? `Testing ${name}` : data?.ok ? `${name} works` : `${name} does not work`;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      footer={
        <>
          <Button busy={isPending} onClick={() => test.mutate(name)}>
            Test again
          </Button>
          <Button look="primary" onClick={() => onOpenChange(false)}>
            Close
          </Button>
        </>
      }
    >
      <div className="-mx-1 min-h-24">
        {error && !isPending ? (
          <Callout tone="fail">{messageOf(error)}</Callout>
        ) : (
          <TestSteps tested={data} isTesting={isPending} />
        )}
      </div>
    </Dialog>
  );
}
