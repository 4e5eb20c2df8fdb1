import { useQuery } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { connectorsOptions } from "../../api/queries/connections";
import { Button } from "../../components/Button";
import { ConnectionEditor } from "../../components/connection/ConnectionEditor";
import { ConnectorPicker } from "../../components/connection/ConnectorPicker";
import { PageHeader } from "../../components/PageHeader";
import { toast } from "../../components/toasts";
import { localPath } from "../sign-in/local-path";

export default function NewConnectionPage() {
  const { connector, name, next } = useSearch({ from: "/inside/connections/new" });
  const navigate = useNavigate();
  const router = useRouter();
  const { data } = useQuery(connectorsOptions);
  const chosen = data?.items.find((one) => one.name === connector);
  const choose = (picked: string | undefined) =>
    void navigate({ to: "/connections/new", search: (before) => ({ ...before, connector: picked }) });
  const done = (saved: string) => {
    toast(`The connection ${saved} is saved.`, { tone: "ok" });
    if (next) router.history.push(localPath(next));
    else void navigate({ to: "/connections/$name", params: { name: saved } });
  };

  return (
    <>
      <PageHeader
        title="New connection"
        summary={chosen ? `${chosen.title}: ${chosen.summary}` : "Choose the kind of system."}
        actions={chosen && <Button onClick={() => choose(undefined)}>Another kind</Button>}
      />
      <div className="p-4 sm:p-6">
        {chosen ? (
          <ConnectionEditor key={chosen.name} connector={chosen} name={name} onSaved={done} />
        ) : (
          <ConnectorPicker onPick={choose} />
        )}
      </div>
    </>
  );
}
