import { useInfiniteQuery } from "@tanstack/react-query";
import { connectionsOptions } from "../../api/queries/connections";
import { CopyButton } from "../../components/CopyButton";
import { exampleYaml } from "./examples";

/** The YAML that serves a table and a query, for a connection that is there. */
export function Example() {
  const { data } = useInfiniteQuery(connectionsOptions({}));
  const yaml = exampleYaml(data?.pages[0]?.items[0]?.name ?? "my_database");
  return (
    <div className="relative text-left">
      <pre
        tabIndex={0}
        aria-label="Example"
        className="overflow-x-auto rounded border bg-sunken p-3 pr-24 font-mono text-xs/5"
      >
        {yaml}
      </pre>
      <span className="absolute top-2 right-2">
        <CopyButton text={yaml} what="YAML" withWords />
      </span>
    </div>
  );
}
