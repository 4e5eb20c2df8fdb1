import type { ReactNode } from "react";

interface PageHeaderProps {
  title: ReactNode;
  /** One line that sums the page up; empty while it is not known, which keeps its place. */
  summary?: ReactNode;
  /** Buttons, the primary one last. */
  actions?: ReactNode;
  /** Tabs, right below. */
  children?: ReactNode;
}

/** The head of a page. */
export function PageHeader({ title, summary, actions, children }: PageHeaderProps) {
  return (
    <header className="border-b px-4 pt-4 sm:px-6">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3 pb-3">
        <div className="min-w-0 grow basis-40">
          <h1 className="text-xl font-semibold tracking-tight wrap-anywhere">{title}</h1>
          {summary !== undefined && <div className="mt-0.5 min-h-[18px] text-ink-2">{summary}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </header>
  );
}
