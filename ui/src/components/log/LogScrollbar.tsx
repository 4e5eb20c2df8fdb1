import { useRef, type KeyboardEvent, type PointerEvent } from "react";

interface LogScrollbarProps {
  count: number;
  /** Rows in sight. */
  seen: number;
  /** The row at the top. */
  top: number;
  marks: number[] | undefined;
  onGo: (index: number) => void;
}

const THUMB_MIN = 0.05;

/** Where in a log one is, and a way to any other place of it. */
export function LogScrollbar({ count, seen, top, marks, onGo }: LogScrollbarProps) {
  const track = useRef<HTMLDivElement>(null);
  const last = Math.max(1, count - seen);
  const size = Math.min(1, Math.max(THUMB_MIN, seen / count));
  const place = Math.min(1, top / last) * (1 - size);

  const point = (event: PointerEvent) => {
    const box = track.current?.getBoundingClientRect();
    if (!box) return;
    const at = (event.clientY - box.top) / box.height - size / 2;
    onGo(Math.round(Math.min(1, Math.max(0, at / Math.max(1e-9, 1 - size))) * last));
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: seen, PageUp: -seen, Home: -count, End: count }[
      event.key
    ];
    if (step === undefined) return;
    event.preventDefault();
    onGo(Math.min(last, Math.max(0, top + step)));
  };

  return (
    <div
      ref={track}
      role="slider"
      aria-orientation="vertical"
      aria-label="Place in the log"
      aria-valuemin={1}
      aria-valuemax={count}
      aria-valuenow={Math.min(count, top + 1)}
      aria-valuetext={`Line ${Math.min(count, top + 1)} of ${count}`}
      tabIndex={0}
      className="relative w-3.5 shrink-0 touch-none border-l bg-sunken"
      onKeyDown={press}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        point(event);
      }}
      onPointerMove={(event) => event.buttons > 0 && point(event)}
    >
      {marks?.map((mark, index) => (
        <span key={index} className="absolute inset-x-0.5 h-0.5 bg-warn" style={{ top: `${mark * 100}%` }} />
      ))}
      <span
        className="absolute inset-x-0.5 rounded-sm bg-line-strong opacity-80"
        style={{ top: `${place * 100}%`, height: `${size * 100}%` }}
      />
    </div>
  );
}
