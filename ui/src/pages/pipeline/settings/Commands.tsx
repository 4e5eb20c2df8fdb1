import { useState } from "react";
import { CopyButton } from "../../../components/CopyButton";
import { Panel } from "../../../components/Panel";
import { Tabs } from "../../../components/Tabs";

/** The same from a terminal or a program. */
export function Commands({ pipeline }: { pipeline: string }) {
  const [tab, setTab] = useState("cli");
  const url = `${window.location.origin}/api/v1/pipelines/${encodeURIComponent(pipeline)}`;
  const auth = `-H "authorization: Bearer $TOKEN"`;
  const json = `-H 'content-type: application/json'`;
  const lists = {
    cli: [
      ["Start it", `levada start ${pipeline}`],
      ["Its runs", `levada runs ${pipeline}`],
      ["Pause it", `levada pause ${pipeline}`],
      ["Let it go on", `levada resume ${pipeline}`],
      ["Its next fires", `levada schedule preview ${pipeline}`],
      ["How far its streams came", `levada positions show ${pipeline}`],
    ],
    curl: [
      ["Start it", `curl ${auth} -X POST ${url}/runs ${json} -d '{}'`],
      [
        "Its runs",
        `curl ${auth} "${window.location.origin}/api/v1/runs?pipeline=${encodeURIComponent(pipeline)}"`,
      ],
      ["Its document", `curl ${auth} ${url}`],
      ["Pause it", `curl ${auth} -X POST ${url}/pause`],
      ["Let it go on", `curl ${auth} -X POST ${url}/resume`],
      ["How far its streams came", `curl ${auth} ${url}/streams`],
    ],
  };
  const list = (commands: string[][]) => (
    <ul>
      {commands.map(([what = "", command = ""]) => (
        <li key={what} className="flex items-center gap-3 border-b px-3 py-1.5 last:border-b-0">
          <div className="min-w-0 grow">
            <p className="text-xs text-ink-2">{what}</p>
            <code
              className="block overflow-x-auto font-mono text-xs whitespace-nowrap [scrollbar-width:none]"
              tabIndex={0}
              role="textbox"
              aria-readonly
              aria-label={what}
            >
              {command}
            </code>
          </div>
          <CopyButton text={command} what={`the command: ${what.toLowerCase()}`} />
        </li>
      ))}
    </ul>
  );
  return (
    <Panel title="From elsewhere">
      <div className="[&_[role=tablist]]:px-3">
        <Tabs
          label="Ways"
          value={tab}
          onValueChange={setTab}
          items={[
            { value: "cli", label: "Command line", content: list(lists.cli) },
            { value: "curl", label: "curl", content: list(lists.curl) },
          ]}
        />
      </div>
    </Panel>
  );
}
