import { CircleAlert, RotateCw } from "lucide-react";
import { ApiError, messageOf } from "../api/error";
import { Button } from "./Button";

interface ErrorStateProps {
  error: unknown;
  onRetry?: (() => void) | undefined;
}

/** What stands where something could not be read, with what to do about it. */
export function ErrorState({ error, onRetry }: ErrorStateProps) {
  const mistakes = error instanceof ApiError ? error.mistakes : [];
  const advice = [...new Set(mistakes.map((mistake) => mistake.advice).filter(Boolean))];
  return (
    <div role="alert" className="mx-auto flex max-w-lg flex-col items-center px-4 py-12 text-center">
      <CircleAlert className="mb-3 size-6 text-fail" strokeWidth={1.5} aria-hidden />
      <p className="font-medium whitespace-pre-wrap wrap-anywhere">{messageOf(error)}</p>
      {advice.map((line) => (
        <p key={line} className="mt-1 text-ink-2">
          {line}
        </p>
      ))}
      {onRetry && (
        <Button icon={RotateCw} className="mt-4" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}
