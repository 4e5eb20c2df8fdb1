const COLOURS: Record<string, string> = {
  GET: "text-run",
  POST: "text-ok",
  PUT: "text-warn",
  PATCH: "text-warn",
  DELETE: "text-fail",
};

/** The method of an operation. */
export function Method({ method }: { method: string }) {
  return (
    <span className={`w-[46px] shrink-0 font-mono text-2xs font-semibold ${COLOURS[method] ?? "text-ink-2"}`}>
      {method}
    </span>
  );
}
