/** The pipeline of the demo. */
export const DEMO_NAME = "demo_orders";

/** Where the demo's files and its warehouse are: in a folder of the project. */
export const DEMO_CONNECTIONS = {
  demo_files: { connector: "files", settings: { root: "./demo", settle_ms: 0 } },
  demo_warehouse: { connector: "sqlite", settings: { path: "./demo/warehouse.db" } },
};

export const DEMO_TEXT = `# Stands for a shop whose orders come as files: one more each minute, loaded as it is found.
version: 1
name: ${DEMO_NAME}
description: Orders of a made-up shop, some more every minute
tags: [demo]
schedule: { every: 1m }
tasks:
  trade:
    command:
      script: |
        mkdir -p demo
        now=$(date +%s)
        awk -v now="$now" -v at="$(date -u +%Y-%m-%dT%H:%M:%SZ)" 'BEGIN {
          srand(now)
          split("Lisbon Porto Funchal Faro Braga", city, " ")
          print "id,ordered_at,city,quantity,total"
          for (row = 1; row <= 200; row++)
            printf "%s%03d,%s,%s,%d,%.2f\\n", now, row, at, city[int(rand() * 5) + 1], 1 + int(rand() * 9), 5 + rand() * 95
        }' > "demo/orders-$now.csv"
        echo "200 orders came in"
  load:
    after: [trade]
    sync:
      from: demo_files
      to: demo_warehouse
      streams:
        orders-*.csv: { read: incremental, write: append, rename: orders, on_bad_row: quarantine }
  count:
    after: [load]
    command: { argv: [echo, "\${tasks.load.outputs.written} more rows are in the warehouse"] }
`;
