import { ArrowUp } from "lucide-react";

interface AnnouncementProps {
  children: string;
  onShow: () => void;
}

/**
 * Says that there is something new in a list, which comes when it is asked for: no row moves away under the pointer. It
 * stands over the names of the columns, so that no row is covered either.
 */
export function Announcement({ children, onShow }: AnnouncementProps) {
  return (
    <div className="relative h-0" role="status">
      <button
        type="button"
        onClick={onShow}
        className="absolute top-0.5 left-1/2 z-20 flex h-7 -translate-x-1/2 items-center gap-1.5 rounded-full bg-accent px-3 text-xs font-medium whitespace-nowrap text-on-accent shadow-overlay hover:bg-accent-strong"
      >
        <ArrowUp className="size-3.5" aria-hidden />
        {children}
      </button>
    </div>
  );
}
