import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { classes } from "./classes";
import { IconButton } from "./IconButton";

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  /** Buttons, the one that does it last. */
  footer?: ReactNode;
  size?: "small" | "medium" | "large";
  children?: ReactNode;
}

const SIZES = { small: "sm:max-w-md", medium: "sm:max-w-xl", large: "sm:max-w-4xl" };

/** A window over the page. Escape and a click beside it close it; the focus stays within, and goes back afterwards. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  footer,
  size = "small",
  children,
}: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Radix.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          tabIndex={-1}
          onOpenAutoFocus={focusFirstField}
          className={classes(
            "fixed inset-x-2 bottom-2 z-40 mx-auto flex max-h-[calc(100dvh-16px)] flex-col rounded-lg border bg-raised shadow-overlay",
            "outline-none sm:top-[12vh] sm:bottom-auto sm:max-h-[76vh]",
            SIZES[size],
          )}
        >
          <header className="flex items-start gap-3 px-4 pt-3.5 pb-2">
            <div className="min-w-0 grow">
              <Radix.Title className="text-base font-semibold">{title}</Radix.Title>
              {description && (
                <Radix.Description asChild>
                  <div className="mt-1 text-ink-2">{description}</div>
                </Radix.Description>
              )}
            </div>
            <Radix.Close asChild>
              <IconButton icon={X} label="Close" size="small" />
            </Radix.Close>
          </header>
          {children && <div className="min-h-0 overflow-y-auto px-4 py-2">{children}</div>}
          {footer && <footer className="flex flex-wrap justify-end gap-2 px-4 pt-2 pb-4">{footer}</footer>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** The first field gets the focus, and the window itself where there is none: not the button that closes it. */
function focusFirstField(event: Event): void {
  const content = event.currentTarget;
  if (!(content instanceof HTMLElement)) return;
  event.preventDefault();
  (content.querySelector<HTMLElement>("input, textarea, select") ?? content).focus();
}
