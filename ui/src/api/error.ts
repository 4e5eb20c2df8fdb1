import type { components } from "./schema";

type Problem = components["schemas"]["Problem"];
export type Mistake = components["schemas"]["Mistake"];

/** A problem that the API told of, or that kept it from being reached. */
export class ApiError extends Error {
  /** The HTTP status; 0 where the server was not reached. */
  readonly status: number;
  /** The stable name of the kind of problem. */
  readonly kind: string;
  /** Every mistake with its place, where there may be several. */
  readonly mistakes: Mistake[];
  /** When to try again. */
  readonly retryAt: Date | null;

  constructor(
    status: number,
    kind: string,
    message: string,
    mistakes: Mistake[] = [],
    retryAt: Date | null = null,
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.kind = kind;
    this.mistakes = mistakes;
    this.retryAt = retryAt;
  }

  /** The problem in an answer; proxies in between answer with something else. */
  static async of(response: Response): Promise<ApiError> {
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    const retryAt = Number.isFinite(seconds) ? new Date(Date.now() + seconds * 1000) : null;
    const problem: Partial<Problem> = await response.json().catch(() => ({}));
    const message =
      problem.detail ?? `The server answered ${response.status} ${response.statusText}`.trim() + ".";
    return new ApiError(response.status, problem.kind ?? "internal", message, problem.errors, retryAt);
  }

  /** That there was no answer. */
  static unreachable(cause: Error): ApiError {
    const error = new ApiError(0, "unreachable", "The server cannot be reached. Is it running?");
    error.cause = cause;
    return error;
  }

  /** Whether somebody has to sign in. */
  get isStranger(): boolean {
    return this.status === 401;
  }

  /** Whether somebody else has changed the document meanwhile. */
  get isStale(): boolean {
    return this.status === 412;
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The words for any error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
