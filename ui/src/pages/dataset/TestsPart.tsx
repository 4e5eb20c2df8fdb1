import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { DatasetTest } from "../../api/model";
import { datasetTestsOptions } from "../../api/queries/datasets";
import { Button } from "../../components/Button";
import { DataTable } from "../../components/DataTable";
import { EmptyState } from "../../components/EmptyState";
import { Status } from "../../components/Status";
import type { Column } from "../../components/table-columns";
import { foundText, verdictLook } from "../../components/tests/verdict";
import { Time } from "../../components/Time";
import { usePagedRows } from "../../components/use-paged-rows";
import { count } from "../../format/numbers";

/** What tests of the dataset found last, and of one of them the results before. */
export function TestsPart({ name }: { name: string }) {
  const [test, setTest] = useState<string>();
  const list = usePagedRows<DatasetTest>(useInfiniteQuery(datasetTestsOptions(name, test)));
  return (
    <>
      {test !== undefined && (
        <p className="flex items-center gap-3 border-b px-4 py-2 sm:px-6">
          All results of {test}
          <Button size="small" onClick={() => setTest(undefined)}>
            Show every test
          </Button>
        </p>
      )}
      <DataTable
        key={test ?? ""}
        label={test === undefined ? "Tests" : `Results of ${test}`}
        columns={COLUMNS}
        rowKey={(one) => `${one.task_run} ${one.test}`}
        {...(test === undefined && { onOpen: (one: DatasetTest) => setTest(one.test) })}
        empty={
          <EmptyState title="It was never tested">
            A task of the kind check tests what a dataset holds; its results show up here.
          </EmptyState>
        }
        {...list}
      />
    </>
  );
}

const COLUMNS: Column<DatasetTest>[] = [
  {
    id: "verdict",
    header: "Result",
    cell: ({ row: { original: test } }) => <Status {...verdictLook(test.verdict)} />,
    meta: { width: "100px" },
  },
  {
    id: "test",
    header: "Test",
    cell: ({ row: { original: test } }) => test.test,
    meta: { width: "minmax(0, 1.5fr)" },
  },
  {
    id: "found",
    header: "Found",
    cell: ({ row: { original: test } }) => <span className="tabular">{foundText(test, count)}</span>,
    meta: { width: "minmax(0, 1fr)" },
  },
  {
    id: "wanted",
    header: "Wanted",
    cell: ({ row: { original: test } }) => test.wanted,
    meta: { width: "minmax(0, 2fr)", hideBelow: "lg" },
  },
  {
    id: "run",
    header: "Run",
    cell: ({ row: { original: test } }) => (
      <Link
        to="/runs/$id"
        params={{ id: String(test.run) }}
        search={{ task: test.task, part: "tests" } as never}
        tabIndex={-1}
        className="hover:underline"
      >
        #{test.run} {test.pipeline}
      </Link>
    ),
    meta: { width: "minmax(0, 1fr)", hideBelow: "sm" },
  },
  {
    id: "at",
    header: "When",
    cell: ({ row: { original: test } }) => <Time at={test.at} />,
    meta: { width: "88px" },
  },
];
