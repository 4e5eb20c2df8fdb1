import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Panel } from "../../../components/Panel";
import { SearchInput } from "../../../components/SearchInput";
import { Skeleton } from "../../../components/Skeleton";
import { plural } from "../../../format/numbers";

const PARTS = [
  { kind: "rust", title: "Rust crates in the program" },
  { kind: "npm", title: "npm packages in these pages" },
] as const;

/** What the program and its pages are built with; the list is made when they are built. */
export function Licences() {
  const { data } = useQuery({
    queryKey: ["licences"],
    queryFn: async () => (await import("virtual:licences")).default,
    staleTime: Infinity,
  });
  const [text, setText] = useState("");
  if (!data) return <Skeleton className="h-64 rounded-lg" />;
  const wanted = text.trim().toLowerCase();
  return (
    <>
      <SearchInput
        label="Search packages and licences"
        value={text}
        onValueChange={setText}
        className="max-w-72"
      />
      {PARTS.map(({ kind, title }) => {
        const packages = data[kind].filter((one) => one.join(" ").toLowerCase().includes(wanted));
        if (data[kind].length === 0) return null;
        return (
          <Panel key={kind} title={title} aside={plural(packages.length, "package")}>
            <div tabIndex={0} role="group" aria-label={title} className="max-h-96 overflow-y-auto">
              <table className="w-full table-fixed text-left">
                <thead className="sr-only">
                  <tr>
                    <th>Package</th>
                    <th>Version</th>
                    <th>Licence</th>
                  </tr>
                </thead>
                <tbody>
                  {packages.map(([name, version, licence]) => (
                    <tr key={`${name} ${version}`} className="border-b last:border-b-0">
                      <td className="w-2/5 px-3 py-1.5 wrap-anywhere">{name}</td>
                      <td className="tabular w-1/5 px-3 py-1.5 wrap-anywhere text-ink-2">{version}</td>
                      <td className="px-3 py-1.5 wrap-anywhere text-ink-2">{licence}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Panel>
        );
      })}
    </>
  );
}
