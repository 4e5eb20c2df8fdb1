import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = process.env["LEVADA_BIN"] ?? "levada";
const START_MS = 30_000;

const PROJECT = `version: 1
connections:
  exports: { type: files, root: ./data, settle_ms: 0 }
  warehouse: { type: sqlite, path: ./warehouse.db }
collections:
  department:
    connection: warehouse
    description: Where people work
    columns:
      name: { type: text, required: true, unique: true, check: { max_length: 40 } }
      budget: { type: "decimal(12,2)", default: 0, check: { min: 0 } }
  employee:
    connection: warehouse
    access: { read: operator, write: editor, delete: admin }
    columns:
      name: { type: text, required: true, unique: true }
      department: { type: bigint, references: department }
reports:
  large_departments:
    connection: warehouse
    query: SELECT name, budget FROM department WHERE budget >= :least AND deleted_at IS NULL ORDER BY budget DESC
    params: { least: { type: "decimal(12,2)", default: 0 } }
`;

const PIPELINES: Record<string, string> = {
  customers: `version: 1
name: customers
description: Customers into the warehouse
tags: [crm]
schedule: "30 2 * * *"
sync:
  from: exports
  to: warehouse
  streams: { customers.csv: { rename: customers } }
`,
  broken: `version: 1
name: broken
tags: [crm]
tasks:
  load:
    retry: { attempts: 1 }
    sync: { from: exports, to: warehouse, streams: { missing.csv: {} } }
`,
  greet: `version: 1
name: greet
tags: [people]
tasks:
  hello: { command: { argv: [echo, hello from the log] } }
`,
  steps: `version: 1
name: steps
tasks:
  one: { command: { argv: [sleep, "1"] } }
  two: { command: { argv: [sleep, "1"] }, after: [one] }
  three: { command: { argv: [sleep, "1"] }, after: [two] }
  four: { command: { argv: [sleep, "1"] }, after: [three] }
`,
  slow: `version: 1
name: slow
tasks:
  work: { command: { script: "for i in $(seq 1 600); do echo working $i; sleep 1; done" } }
`,
};

/** The real binary on a project of its own, which goes away with it. */
export class Levada {
  readonly folder = mkdtempSync(join(tmpdir(), "levada-ui-"));
  url = "";
  /** What stands behind `#` in the link that the first start prints. */
  setUpSecret = "";
  private process: ChildProcess | undefined;

  /** `fill` writes another project than that of the tests; `prepare` is done when it is applied, before the start. */
  static async start(
    fill?: (folder: string) => void,
    prepare?: (folder: string) => void,
    port = 0,
  ): Promise<Levada> {
    const levada = new Levada();
    if (fill) fill(levada.folder);
    else levada.fill();
    execFileSync(BINARY, ["apply"], { cwd: levada.folder });
    prepare?.(levada.folder);
    await levada.serve(port);
    return levada;
  }

  /** Kills the server, as a crash would, and starts it again at the same address. */
  async kill(): Promise<{ startAgain: () => Promise<void> }> {
    const port = Number(new URL(this.url).port);
    await this.end("SIGKILL");
    return { startAgain: () => this.serve(port) };
  }

  async stop(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.folder, { recursive: true });
  }

  private fill(): void {
    this.write("levada.yaml", PROJECT);
    this.write("data/customers.csv", "id,name\n1,Ana\n2,Rui\n3,Eva\n");
    for (const [name, text] of Object.entries(PIPELINES)) this.write(`pipelines/${name}.yaml`, text);
  }

  private write(path: string, text: string): void {
    const file = join(this.folder, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
  }

  private serve(port: number): Promise<void> {
    const child = spawn(BINARY, ["serve", "--port", String(port)], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process = child;
    let said = "";
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`levada serve does not start: ${said}`)), START_MS);
      const hear = (chunk: Buffer) => {
        said += chunk.toString();
        const ready = /ready: (\S+)\/healthz/.exec(said);
        const secret = /\/setup#(\S+)/.exec(said)?.[1];
        if (!ready?.[1] || (!secret && !this.setUpSecret)) return;
        this.url = ready[1];
        this.setUpSecret = secret ?? this.setUpSecret;
        clearTimeout(timer);
        resolve();
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.on("exit", (code) => reject(new Error(`levada serve ended with ${code}: ${said}`)));
    });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.on("exit", resolve);
      child.kill(signal);
    });
  }
}
