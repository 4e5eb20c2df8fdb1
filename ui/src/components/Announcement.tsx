import { ArrowUp } from "lucide-react";

interface AnnouncementProps {
  children: string;
  onShow: () => void;
}

/** Says that there is something new in a list, which comes when it is asked for: no row moves away under the pointer. */
export function Announcement({ children, onShow }: AnnouncementProps) {
  return (
    <div className="relative h-0" role="status">
      <button
        type="button"
        onClick={onShow}
        className="absolute top-10 left-1/2 z-20 flex h-7 -translate-x-1/2 items-center gap-1.5 rounded-full bg-accent px-3 text-xs font-medium whitespace-nowrap text-on-accent shadow-overlay hover:bg-accent-strong"
      >
        <ArrowUp className="size-3.5" aria-hidden />
        {children}
      </button>
    </div>
  );
}
