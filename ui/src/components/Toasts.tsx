import { CircleAlert, CircleCheck, Info, X } from "lucide-react";
import { Toast as Radix } from "radix-ui";
import { classes } from "./classes";
import { IconButton } from "./IconButton";
import { dismiss, useToasts, type ToastMessage } from "./toasts";

const SHOWN_MS = 6_000;
const MARKS = {
  ok: { icon: CircleCheck, colour: "text-ok" },
  fail: { icon: CircleAlert, colour: "text-fail" },
  info: { icon: Info, colour: "text-ink-2" },
};

/** The messages in the corner of the page. */
export function Toasts() {
  const messages = useToasts();
  return (
    <Radix.Provider duration={SHOWN_MS} swipeDirection="right">
      {messages.map((message) => (
        <One key={message.id} {...message} />
      ))}
      <Radix.Viewport className="fixed right-2 bottom-2 z-50 flex w-[calc(100vw-16px)] max-w-sm flex-col gap-2 outline-none sm:right-4 sm:bottom-4" />
    </Radix.Provider>
  );
}

function One({ id, tone, text, action }: ToastMessage) {
  const { icon: Icon, colour } = MARKS[tone];
  return (
    <Radix.Root
      onOpenChange={(open) => !open && dismiss(id)}
      type={tone === "fail" ? "foreground" : "background"}
      className="flex items-start gap-2 rounded-lg border bg-raised py-2 pr-1.5 pl-3 shadow-overlay"
    >
      <Icon className={classes("mt-0.5 size-3.5 shrink-0", colour)} aria-hidden />
      <Radix.Description className="min-w-0 grow wrap-anywhere">{text}</Radix.Description>
      {action && (
        <Radix.Action
          altText={action.label}
          onClick={action.run}
          className="shrink-0 px-1 font-medium text-accent hover:underline"
        >
          {action.label}
        </Radix.Action>
      )}
      <Radix.Close asChild>
        <IconButton icon={X} label="Dismiss" size="small" className="-my-0.5" />
      </Radix.Close>
    </Radix.Root>
  );
}
