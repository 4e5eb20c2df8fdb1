/** What proves a load: every row that was read is accounted for. */
export interface ProofCounts {
  read: number;
  written: number;
  rejected: number;
  /** Rows that an earlier load had written already. */
  repeated: number;
  /** Rows whose content was compared after the commit. */
  verified: number | null;
}

export interface ProofOfSync extends ProofCounts {
  /** By stream; null where there are too many to be told. */
  streams: (ProofCounts & { stream: string })[] | null;
}

/** The proof in the outputs of a sync; null for what is none. */
export function proofOf(outputs: unknown): ProofOfSync | null {
  if (!isRecord(outputs)) return null;
  const { read, written, rejected, streams } = outputs;
  if (typeof read !== "number" || typeof written !== "number" || typeof rejected !== "number") return null;
  const each = isRecord(streams)
    ? Object.entries(streams).map(([stream, counts]) => ({ stream, ...countsOf(counts) }))
    : null;
  const sum = (of: (counts: ProofCounts) => number) => each?.reduce((total, one) => total + of(one), 0);
  const repeated = sum((one) => one.repeated) ?? read - written - rejected;
  const verified = each?.some((one) => one.verified !== null)
    ? (sum((one) => one.verified ?? 0) ?? null)
    : null;
  return { read, written, rejected, repeated, verified, streams: each };
}

/** Whether every row that was read is accounted for. */
export function holds({ read, written, rejected, repeated }: ProofCounts): boolean {
  return read === written + rejected + repeated;
}

function countsOf(value: unknown): ProofCounts {
  const counts = isRecord(value) ? value : {};
  const number = (key: string) => (typeof counts[key] === "number" ? counts[key] : 0);
  return {
    read: number("read"),
    written: number("written"),
    rejected: number("rejected"),
    repeated: number("repeated"),
    verified: typeof counts["verified"] === "number" ? counts["verified"] : null,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
