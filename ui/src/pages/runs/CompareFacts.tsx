import type { ReactNode } from "react";
import type { Run } from "../../api/model";
import { classes } from "../../components/classes";
import { Duration } from "../../components/Duration";
import { Status } from "../../components/Status";
import { Time } from "../../components/Time";
import { CAUSES } from "../../format/causes";
import { paramFacts } from "./comparison";

/** What is known of two runs, side by side; what differs stands out. */
export function CompareFacts({ a, b }: { a: Run; b: Run }) {
  return (
    <table className="w-full table-fixed">
      <thead>
        <tr className="text-left text-xs text-ink-2 [&>th]:px-3 [&>th]:py-2 [&>th]:font-medium">
          <th scope="col" className="w-1/4">
            <span className="sr-only">What</span>
          </th>
          <th scope="col">Run {a.id}</th>
          <th scope="col">Run {b.id}</th>
        </tr>
      </thead>
      <tbody>
        <Fact
          name="Status"
          differs={a.state !== b.state}
          a={<Status state={a.state} />}
          b={<Status state={b.state} />}
        />
        <Fact
          name="Took"
          a={<Duration from={a.started_at} to={a.ended_at} />}
          b={<Duration from={b.started_at} to={b.ended_at} />}
        />
        <Fact name="Made" a={<Time at={a.created_at} />} b={<Time at={b.created_at} />} />
        <Fact name="Cause" differs={a.cause !== b.cause} a={CAUSES[a.cause]} b={CAUSES[b.cause]} />
        <Fact name="Version" differs={a.version !== b.version} a={a.version} b={b.version} />
        {paramFacts(a, b).map((fact) => (
          <Fact
            key={fact.name}
            name={fact.name}
            isParam
            differs={fact.differs}
            a={fact.a || "not given"}
            b={fact.b || "not given"}
          />
        ))}
      </tbody>
    </table>
  );
}

interface FactProps {
  name: string;
  isParam?: boolean;
  differs?: boolean;
  a: ReactNode;
  b: ReactNode;
}

function Fact({ name, isParam, differs = false, a, b }: FactProps) {
  return (
    <tr className={classes("border-t [&>*]:px-3 [&>*]:py-1.5", differs && "bg-warn-soft")}>
      <th
        scope="row"
        className={classes("truncate text-left font-normal text-ink-2", isParam && "font-mono text-xs")}
      >
        {name}
        {differs && <span className="sr-only"> (differs)</span>}
      </th>
      <td className="wrap-anywhere">{a}</td>
      <td className="wrap-anywhere">{b}</td>
    </tr>
  );
}
