import { useState } from "react";
import type { Versioned } from "../../api/client";
import type { Connection, Connector } from "../../api/model";
import { useDenial } from "../../api/roles";
import { Callout } from "../../components/Callout";
import { ConnectionEditor } from "../../components/connection/ConnectionEditor";
import { ConnectorPicker } from "../../components/connection/ConnectorPicker";
import { PipelineLinks } from "../../components/connection/PipelineLinks";
import { Panel } from "../../components/Panel";
import { toast } from "../../components/toasts";
import { plural } from "../../format/numbers";
import { SettingsTable } from "./SettingsTable";

interface SettingsPartProps {
  saved: Versioned<Connection>;
  connectors: Connector[];
}

/** What a connection says, to read or to change, and who uses it. */
export function SettingsPart({ saved, connectors }: SettingsPartProps) {
  const { name, connector: kind, problem, used_by: users } = saved.data;
  const [picked, setPicked] = useState<string>();
  const denial = useDenial("editor");
  const connector = connectors.find((one) => one.name === (picked ?? kind));

  return (
    <div className="flex flex-col gap-6 p-4 sm:p-6">
      {problem && (
        <Callout tone="warn" title="The connection cannot be used as it is">
          {problem}
        </Callout>
      )}
      {denial ? (
        <SettingsTable connection={saved.data} />
      ) : connector ? (
        <ConnectionEditor
          key={`${name} ${connector.name}`}
          connector={connector}
          saved={saved}
          onSaved={() => toast(`The connection ${name} is saved.`, { tone: "ok" })}
        />
      ) : (
        <ConnectorPicker onPick={setPicked} />
      )}
      <Panel title="Used by" aside={plural(users.length, "pipeline")} className="max-w-xl">
        <div className="px-2 py-1">
          {users.length > 0 ? (
            <PipelineLinks pipelines={users} />
          ) : (
            <p className="px-1 py-1.5 text-ink-2">No pipeline uses it.</p>
          )}
        </div>
      </Panel>
    </div>
  );
}
