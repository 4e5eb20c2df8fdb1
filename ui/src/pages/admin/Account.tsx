import { KeyRound, LogOut } from "lucide-react";
import { useState } from "react";
import { useMe, useSignOut } from "../../api/queries/session";
import { Button } from "../../components/Button";
import { Panel } from "../../components/Panel";
import { PasswordDialog } from "../../components/shell/PasswordDialog";
import { Facts } from "./Facts";
import { ROLES } from "./roles";
import { EndSessions } from "./sessions/EndSessions";
import { SessionList } from "./sessions/SessionList";

/** Who one is here, and what one may do. */
export function Account() {
  const me = useMe();
  const signOut = useSignOut();
  const [isChanging, setChanging] = useState(false);
  const may = ROLES.slice(0, ROLES.findIndex((one) => one.value === me.role) + 1);
  return (
    <div className="min-h-0 grow overflow-y-auto">
      <div className="flex max-w-4xl flex-col gap-4 p-4 sm:p-6">
        <Panel title={me.name}>
          <Facts
            facts={[
              ["Role", me.role],
              ["What it may do", may.map((one) => <p key={one.value}>{one.may}</p>)],
              ...me.grants.map((grant): [string, string] => [`On pipelines tagged ${grant.tag}`, grant.role]),
            ]}
          />
        </Panel>
        <Panel title="Password">
          <div className="flex flex-col items-start gap-3 p-3">
            <p className="text-ink-2">
              A new password ends your sessions in all other browsers; this one goes on.
            </p>
            <div className="flex flex-wrap gap-2">
              <Button icon={KeyRound} onClick={() => setChanging(true)}>
                Change password
              </Button>
              <Button icon={LogOut} busy={signOut.isPending} onClick={() => signOut.mutate()}>
                Sign out
              </Button>
            </div>
          </div>
        </Panel>
        <Panel title="Sessions" aside={<EndSessions user={null} />}>
          <p className="border-b px-3 py-2 text-xs text-ink-2">
            A session ends after 12 hours without use, after 30 days, and with a new password.
          </p>
          <SessionList user={null} />
        </Panel>
        {isChanging && <PasswordDialog onClose={() => setChanging(false)} />}
      </div>
    </div>
  );
}
