/** Three flowing lines: the water in a levada. */
export function Logo({ className = "size-5" }: { className?: string }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.4"
      strokeLinecap="round"
      className={`text-accent ${className}`}
      aria-hidden
    >
      <path d="M3 6.5c3.2 0 4.2 2.6 7.2 2.6S15 6.5 21 6.5" />
      <path d="M3 12c3.2 0 4.2 2.6 7.2 2.6S15 12 21 12" opacity=".75" />
      <path d="M3 17.5c3.2 0 4.2 2.6 7.2 2.6s4.8-2.6 10.8-2.6" opacity=".5" />
    </svg>
  );
}
