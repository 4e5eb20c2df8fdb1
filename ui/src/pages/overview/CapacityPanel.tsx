import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Overview } from "../../api/model";
import { Bytes } from "../../components/Bytes";
import { Panel } from "../../components/Panel";
import { ProgressBar } from "../../components/ProgressBar";
import { Skeleton } from "../../components/Skeleton";
import { count } from "../../format/numbers";

/** What there is to work with, and how much of it is taken. */
export function CapacityPanel({ capacity }: { capacity: Overview["capacity"] | undefined }) {
  return (
    <Panel
      title="Capacity"
      aside={
        <Link to="/admin/$section" params={{ section: "workers" }} className="text-accent hover:underline">
          Workers
        </Link>
      }
    >
      <div className="px-3 pt-3">
        <ProgressBar value={capacity?.held ?? 0} max={capacity?.slots ?? 1} label="Slots at work" />
      </div>
      <dl className="flex flex-col gap-2 p-3">
        <Figure name="Slots at work">
          {capacity && `${count(capacity.held)} of ${count(capacity.slots)}`}
        </Figure>
        <Figure name="Workers">{capacity && count(capacity.workers)}</Figure>
        <Figure name="Metadata store">{capacity && <Size value={capacity.store_bytes} />}</Figure>
        <Figure name="Logs and files">{capacity && <Size value={capacity.data_bytes} />}</Figure>
      </dl>
    </Panel>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex h-[18px] items-center justify-between gap-2">
      <dt className="text-ink-2">{name}</dt>
      <dd className="tabular">{children ?? <Skeleton className="h-3 w-12" />}</dd>
    </div>
  );
}

function Size({ value }: { value: number | null | undefined }) {
  return value === null || value === undefined ? (
    <span className="text-ink-3">not measured yet</span>
  ) : (
    <Bytes value={value} />
  );
}
