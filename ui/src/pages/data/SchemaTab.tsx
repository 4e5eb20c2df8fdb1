import { Link } from "@tanstack/react-router";
import { KeyRound } from "lucide-react";
import type { ReactNode } from "react";
import type { Collection, CollectionColumn } from "../../api/model";
import { ScrollRegion } from "../../components/ScrollRegion";
import { rulesOf } from "./values";

const ON_DELETE = {
  restrict: "keeps it from being deleted",
  cascade: "is deleted with it",
  set_null: "refers to nothing after that",
};

/** The columns of a collection with their types and rules. */
export function SchemaTab({ collection }: { collection: Collection }) {
  const { connection, table, key, key_given: isKeyGiven, soft_delete: isSoft, columns } = collection;
  return (
    <div className="min-h-0 grow overflow-y-auto">
      <dl className="grid gap-x-8 gap-y-3 border-b px-4 py-4 sm:grid-cols-2 sm:px-6 lg:grid-cols-4">
        <Fact name="Connection">
          <Link to="/connections/$name" params={{ name: connection }} className="text-accent hover:underline">
            {connection}
          </Link>
        </Fact>
        <Fact name="Table">
          <code className="font-mono text-xs">{table}</code>
        </Fact>
        <Fact name="Key">
          <code className="font-mono text-xs">{key}</code>,{" "}
          {isKeyGiven ? "given by the database" : "given with the row"}
        </Fact>
        <Fact name="Deleted rows">
          {isSoft ? "stay in the table, and can be restored" : "are gone for good"}
        </Fact>
      </dl>
      <ScrollRegion label="Columns">
        <table className="w-full text-left sm:min-w-[640px]">
          <thead>
            <tr className="border-b text-xs text-ink-2">
              <th className="h-8 pl-4 font-medium sm:pl-6">Column</th>
              <th className="px-3 font-medium">Type</th>
              <th className="px-3 font-medium">Rules</th>
              <th className="px-3 pr-4 font-medium max-sm:hidden sm:pr-6">Refers to</th>
            </tr>
          </thead>
          <tbody>
            {columns.map((column) => (
              <ColumnRow key={column.name} column={column} isKey={column.name === key} />
            ))}
          </tbody>
        </table>
      </ScrollRegion>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="mt-0.5 wrap-anywhere">{children}</dd>
    </div>
  );
}

function ColumnRow({ column, isKey }: { column: CollectionColumn; isKey: boolean }) {
  const { references } = column;
  return (
    <tr className="border-b align-top">
      <td className="py-2 pl-4 sm:pl-6">
        <span className="flex items-center gap-1.5 font-medium">
          {column.name}
          {isKey && <KeyRound className="size-3.5 text-ink-3" aria-label="Key" />}
        </span>
        {column.description && <span className="block text-xs text-ink-2">{column.description}</span>}
      </td>
      <td className="px-3 py-2 font-mono text-xs whitespace-nowrap">{column.type}</td>
      <td className="px-3 py-2 text-ink-2 max-sm:pr-4">
        {rulesOf(column).join(", ") || "none"}
        {references && (
          <span className="block sm:hidden">
            <Reference {...references} />
          </span>
        )}
      </td>
      <td className="px-3 py-2 pr-4 max-sm:hidden sm:pr-6">{references && <Reference {...references} />}</td>
    </tr>
  );
}

function Reference({ collection, column, on_delete: end }: NonNullable<CollectionColumn["references"]>) {
  return (
    <>
      <Link to="/data/$collection" params={{ collection }} className="text-accent hover:underline">
        {collection}.{column}
      </Link>
      <span className="block text-xs text-ink-2">{ON_DELETE[end]}</span>
    </>
  );
}
