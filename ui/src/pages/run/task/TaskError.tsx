import { Callout } from "../../../components/Callout";
import { CopyButton } from "../../../components/CopyButton";
import { Time } from "../../../components/Time";

interface TaskErrorProps {
  error: unknown;
  state: string;
  /** When it is tried again. */
  until: string | null;
}

/** Why a task failed and what to do about it. */
export function TaskError({ error, state, until }: TaskErrorProps) {
  const { message, advice, code } = parts(error);
  const isOpen = state === "waiting" || state === "queued" || state === "running" || state === "starting";
  return (
    <Callout
      tone={isOpen ? "warn" : "fail"}
      title={message}
      action={<CopyButton text={[message, advice].filter(Boolean).join("\n")} what="the error" />}
    >
      {advice}
      {isOpen && until && (
        <span className="block">
          It is tried again <Time at={until} />.
        </span>
      )}
      {code && <span className="block text-xs text-ink-2">Kind of error: {code}</span>}
    </Callout>
  );
}

function parts(error: unknown): { message: string; advice: string; code: string } {
  if (typeof error !== "object" || error === null) return { message: String(error), advice: "", code: "" };
  const text = (key: string) => {
    const value = (error as Record<string, unknown>)[key];
    return typeof value === "string" ? value : "";
  };
  return { message: text("message") || "The task failed.", advice: text("advice"), code: text("code") };
}
