import type { Connection } from "../../api/model";

export interface Example {
  title: string;
  says: string;
  text: (ends: { from: string; to: string }) => string;
}

/** Documents to start from, with connections of the project in place. */
export const EXAMPLES: Example[] = [
  {
    title: "All tables, every night",
    says: "A full copy of everything that the source has, at two in the morning.",
    text: ({ from, to }) => `version: 1
name: nightly_copy
description: All tables of ${from} into ${to}, every night
schedule: "0 2 * * *"
sync:
  from: ${from}
  to: ${to}
  streams: ["*"]
`,
  },
  {
    title: "What has changed, every quarter of an hour",
    says: "Rows are told by a column of the last change, and updated by their key.",
    text: ({ from, to }) => `version: 1
name: changes
description: New and changed orders of ${from} into ${to}
schedule: { every: 15m }
sync:
  from: ${from}
  to: ${to}
  streams:
    orders: { read: incremental, cursor: updated_at, key: [id], write: merge }
`,
  },
  {
    title: "Files as they arrive",
    says: "New files start a run; rows that do not fit go into the quarantine.",
    text: ({ from, to }) => `version: 1
name: incoming_files
description: Files that arrive in ${from}, into ${to}
schedule: { on: { file: { connection: ${from}, path: "in/*.csv" } } }
sync:
  from: ${from}
  to: ${to}
  streams:
    in/*.csv: { read: incremental, write: append, rename: incoming, on_bad_row: quarantine }
`,
  },
  {
    title: "A script after a load",
    says: "Several tasks, each of which waits for the one before.",
    text: ({ from, to }) => `version: 1
name: load_and_check
description: A load, and a script after it
tasks:
  load:
    sync: { from: ${from}, to: ${to}, streams: ["*"] }
  check:
    after: [load]
    command:
      script: |
        echo "loaded on $(date -u)"
`,
  },
];

/** Which connections stand in for those of an example. */
export function endsOf(connections: readonly Connection[]): { from: string; to: string } {
  const usable = connections.filter((one) => !one.problem);
  const from = usable[0]?.name ?? "source";
  const to = usable.find((one) => one.name !== from)?.name ?? "destination";
  return { from, to };
}
