import { Dialog } from "radix-ui";
import { RailLinks } from "./RailLinks";

/** The menu of narrow windows: a sheet from the bottom, where thumbs are. */
export function RailSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-0 bottom-0 z-40 rounded-t-lg border-t bg-raised pb-[env(safe-area-inset-bottom)] shadow-overlay [&_a]:h-11 [&_a]:text-base"
        >
          <Dialog.Title className="sr-only">Menu</Dialog.Title>
          <RailLinks onFollow={onClose} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
