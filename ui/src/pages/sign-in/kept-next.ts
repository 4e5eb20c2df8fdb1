const KEY = "levada.next";

/** Keeps where somebody wanted to go, for when the provider sends them back to the first page. */
export function keepNext(next: string | undefined): void {
  if (next) sessionStorage.setItem(KEY, next);
  else sessionStorage.removeItem(KEY);
}

/** What was kept, once. */
export function takeNext(): string | null {
  const next = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  return next;
}
