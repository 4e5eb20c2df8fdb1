import type { ReactNode } from "react";
import { Logo } from "./Logo";

interface EntranceProps {
  title: string;
  summary?: ReactNode;
  children: ReactNode;
}

/** The frame of the pages in front of the sign-in. */
export function Entrance({ title, summary, children }: EntranceProps) {
  return (
    <main className="flex min-h-dvh flex-col items-center bg-rail px-4 pt-[14vh] pb-8">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center gap-2.5">
          <Logo className="size-7" />
          <span className="text-xl font-semibold tracking-tight">Levada</span>
        </div>
        <div className="rounded-lg border bg-raised p-5 sm:p-6">
          <h1 className="text-lg font-semibold">{title}</h1>
          {summary && <p className="mt-1 text-ink-2">{summary}</p>}
          <div className="mt-5">{children}</div>
        </div>
      </div>
    </main>
  );
}
