import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./classes";

interface CalloutProps {
  tone?: "info" | "ok" | "warn" | "fail";
  title?: string;
  /** A button at the end. */
  action?: ReactNode;
  children?: ReactNode;
}

const TONES = {
  info: { icon: Info, box: "bg-sunken border-line", mark: "text-ink-2" },
  ok: { icon: CircleCheck, box: "bg-ok-soft border-transparent", mark: "text-ok" },
  warn: { icon: TriangleAlert, box: "bg-warn-soft border-transparent", mark: "text-warn" },
  fail: { icon: CircleAlert, box: "bg-fail-soft border-transparent", mark: "text-fail" },
};

/** Words that stand out within a page: a notice, a warning, an error. Errors are read out when they appear. */
export function Callout({ tone = "info", title, action, children }: CalloutProps) {
  const { icon: Icon, box, mark } = TONES[tone];
  return (
    <div
      role={tone === "fail" ? "alert" : undefined}
      className={classes("flex gap-2 rounded border px-3 py-2", box)}
    >
      <Icon className={classes("mt-0.5 size-3.5 shrink-0", mark)} aria-hidden />
      <div className="min-w-0 grow">
        {title && <p className="font-medium">{title}</p>}
        {children && <div className="wrap-anywhere whitespace-pre-wrap">{children}</div>}
      </div>
      {action}
    </div>
  );
}
