import type { ReactNode } from "react";
import { CopyButton } from "../../components/CopyButton";
import { PageHeader } from "../../components/PageHeader";
import { Skeleton } from "../../components/Skeleton";
import { TabLinks } from "../../components/TabLinks";
import { accessWords, type Served } from "./served";

interface ServedPageProps {
  name: string;
  /** Undefined while it is read. */
  served: (Pick<Served, "path" | "read" | "write" | "delete"> & { description?: string | null }) | undefined;
  /** Its parts by the words in the address; the first is shown unless another is named. */
  parts: Record<string, string>;
  part: string;
  children: ReactNode;
}

/** The frame of something that the data API serves: what it is, where, for whom, and its parts. */
export function ServedPage({ name, served, parts, part, children }: ServedPageProps) {
  const tabs = Object.entries(parts).map(([word, label], place) => ({
    label,
    link: { to: ".", search: (place === 0 ? {} : { part: word }) as never } as const,
    isActive: part === word,
  }));
  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title={name}
        summary={
          served ? (
            <span className="flex flex-wrap items-center gap-x-2">
              {served.description && <span>{served.description}.</span>}
              <span className="flex items-center gap-0.5">
                <code className="font-mono text-xs">{served.path}</code>
                <CopyButton text={`${window.location.origin}${served.path}`} what="the address" />
              </span>
              <span>{accessWords(served)}</span>
            </span>
          ) : (
            <Skeleton className="mt-1 h-3.5 w-72 max-w-full" />
          )
        }
      >
        <TabLinks label={name} items={tabs} />
      </PageHeader>
      {children}
    </div>
  );
}
