import { useMe } from "../../../api/queries/session";
import { Button } from "../../../components/Button";
import { Dialog } from "../../../components/Dialog";
import { EndSessions } from "../sessions/EndSessions";
import { SessionList } from "../sessions/SessionList";

/** Where a user is signed in. Of oneself, this browser stays signed in. */
export function SessionsDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const user = useMe().name === name ? null : name;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Sessions of ${name}`}
      description="Where they are signed in with a browser. Tokens go on; they are revoked on their own."
      footer={
        <>
          <EndSessions user={user} />
          <Button onClick={onClose}>Close</Button>
        </>
      }
    >
      <div className="overflow-hidden rounded border">
        <SessionList user={user} />
      </div>
    </Dialog>
  );
}
