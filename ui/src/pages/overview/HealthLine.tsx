import { Link } from "@tanstack/react-router";
import type { Overview } from "../../api/model";
import { Status } from "../../components/Status";
import { count } from "../../format/numbers";
import { healthOf } from "./health";

/** How everything is, in one line. */
export function HealthLine({ overview }: { overview: Overview }) {
  const { runs } = overview;
  const { state, text } = healthOf(overview);
  return (
    <span className="flex flex-wrap items-center gap-x-4 gap-y-0.5">
      <span className="font-medium">
        <Status state={state} word={text} />
      </span>
      <span className="tabular">
        <Link to="/runs" search={{ state: "running" }} className="hover:text-ink hover:underline">
          {count(runs.running)} running
        </Link>
        {", "}
        <Link to="/runs" search={{ state: "queued" }} className="hover:text-ink hover:underline">
          {count(runs.queued)} queued
        </Link>
      </span>
      <span className="tabular">
        In 24 h:{" "}
        <Link
          to="/runs"
          search={{ state: "succeeded", since: "24h" }}
          className="hover:text-ink hover:underline"
        >
          {count(runs.succeeded)} succeeded
        </Link>
        {", "}
        <Link
          to="/runs"
          search={{ state: "failed", since: "24h" }}
          className="hover:text-ink hover:underline"
        >
          {count(runs.failed)} failed
        </Link>
      </span>
    </span>
  );
}
