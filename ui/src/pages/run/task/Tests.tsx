import { useMemo, useState } from "react";
import type { DatasetTest } from "../../../api/model";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import { Status } from "../../../components/Status";
import type { Column } from "../../../components/table-columns";
import { FailingRows } from "../../../components/tests/FailingRows";
import { foundText, verdictLook, worstFirst } from "../../../components/tests/verdict";
import { count } from "../../../format/numbers";

/** What the tests of a task found; what did not pass comes first. */
export function Tests({ task, tests }: { task: string; tests: DatasetTest[] }) {
  const [open, setOpen] = useState<DatasetTest | null>(null);
  const rows = useMemo(() => worstFirst(tests), [tests]);
  return (
    <>
      <DataTable
        label={`Tests of ${task}`}
        columns={COLUMNS}
        rows={rows}
        rowKey={(test) => `${test.task_run} ${test.test}`}
        onOpen={setOpen}
        empty={<EmptyState title="Nothing was tested">The task has no results.</EmptyState>}
      />
      {open && <FailingRows test={open} onClose={() => setOpen(null)} />}
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
    meta: { width: "minmax(0, 2fr)", hideBelow: "md" },
  },
  {
    id: "dataset",
    header: "Dataset",
    cell: ({ row: { original: test } }) => test.dataset,
    meta: { width: "minmax(0, 1fr)", hideBelow: "lg" },
  },
];
