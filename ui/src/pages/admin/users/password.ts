const BYTES_MIN = 10;
const BYTES_MAX = 1_024;

/** What is wrong with a new password; nothing if it will do. */
export function passwordMistake(password: string): string {
  const bytes = new TextEncoder().encode(password).length;
  if (bytes < BYTES_MIN) return `${BYTES_MIN} characters at least.`;
  return bytes > BYTES_MAX ? `${BYTES_MAX} characters at most.` : "";
}
