import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface EmptyStateProps {
  icon?: LucideIcon;
  title: string;
  /** What to do first. */
  children?: ReactNode;
  /** One primary button. */
  action?: ReactNode;
}

/** What stands where nothing is yet. */
export function EmptyState({ icon: Icon, title, children, action }: EmptyStateProps) {
  return (
    <div className="mx-auto flex max-w-sm flex-col items-center px-4 py-12 text-center">
      {Icon && <Icon className="mb-3 size-6 text-ink-3" strokeWidth={1.5} aria-hidden />}
      <p className="font-medium">{title}</p>
      {children && <div className="mt-1 text-ink-2">{children}</div>}
      {action && <div className="mt-4">{action}</div>}
    </div>
  );
}
