import { Dialog } from "radix-ui";
import { Search } from "lucide-react";
import { useEffect, useId, useState, type KeyboardEvent } from "react";
import { classes } from "../classes";
import { Kbd } from "../Kbd";
import type { Command } from "./commands";
import { useCommands } from "./use-commands";

interface CommandPaletteProps {
  open: boolean;
  onClose: () => void;
  onHelp: () => void;
}

/** Search and commands: pages, pipelines, connections, runs by their numbers, data, and what can be done. */
export function CommandPalette({ open, onClose, onHelp }: CommandPaletteProps) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-shade" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-2 top-2 z-40 mx-auto flex max-h-[70dvh] max-w-xl flex-col overflow-hidden rounded-lg border bg-raised shadow-overlay sm:top-[12vh]"
        >
          <Dialog.Title className="sr-only">Search and commands</Dialog.Title>
          <Finder onClose={onClose} onHelp={onHelp} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Finder({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const [isAsked, setAsked] = useState(false);
  const { groups, isSearching, isSettled } = useCommands(text, onHelp);
  const list = useId();
  const commands = groups.flatMap((group) => group.commands);
  const at = Math.min(active, Math.max(0, commands.length - 1));

  const choose = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  // Enter right behind the last letter means what that letter finds, not what was found before it
  useEffect(() => {
    if (!isAsked || !isSettled) return;
    setAsked(false);
    choose(commands[at]);
  });
  const press = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      if (isSettled || active > 0) choose(commands[at]);
      else setAsked(true);
    } else if (step === 0) return;
    else {
      const next = (at + step + commands.length) % Math.max(1, commands.length);
      setActive(next);
      document.getElementById(`${list}-${next}`)?.scrollIntoView({ block: "nearest" });
    }
    event.preventDefault();
  };

  return (
    <>
      <div className="flex items-center gap-2 border-b px-3">
        <Search className="size-4 shrink-0 text-ink-3" aria-hidden />
        <input
          autoFocus
          role="combobox"
          aria-expanded
          aria-controls={list}
          aria-activedescendant={commands.length > 0 ? `${list}-${at}` : undefined}
          aria-label="Search and commands"
          placeholder="Search pipelines, connections, runs, data, and commands"
          value={text}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => {
            setText(event.target.value);
            setActive(0);
            setAsked(false);
          }}
          onKeyDown={press}
          className="h-11 min-w-0 grow bg-transparent text-base outline-none"
        />
        <Kbd>Esc</Kbd>
      </div>
      <div id={list} role="listbox" aria-label="Found" className="min-h-0 overflow-y-auto p-1.5">
        {groups.map((group) => (
          <div key={group.title} role="group" aria-label={group.title}>
            <p aria-hidden className="px-2 pt-2 pb-1 text-2xs font-medium text-ink-3">
              {group.title}
            </p>
            {group.commands.map((command) => {
              const index = commands.indexOf(command);
              return (
                <div
                  key={command.id}
                  id={`${list}-${index}`}
                  role="option"
                  aria-selected={index === at}
                  onPointerMove={() => setActive(index)}
                  onClick={() => choose(command)}
                  className={classes(
                    "flex h-9 cursor-pointer items-center gap-2.5 rounded px-2",
                    index === at && "bg-accent-soft",
                  )}
                >
                  <command.icon className="size-4 shrink-0 text-ink-3" strokeWidth={1.75} aria-hidden />
                  <span className="min-w-0 truncate">{command.title}</span>
                  {command.detail && (
                    <span className="min-w-0 truncate text-xs text-ink-3">{command.detail}</span>
                  )}
                  <span className="ml-auto flex shrink-0 gap-0.5">
                    {command.keys?.map((key) => (
                      <Kbd key={key}>{key}</Kbd>
                    ))}
                  </span>
                </div>
              );
            })}
          </div>
        ))}
        {commands.length === 0 && (
          <p role="status" className="px-2 py-6 text-center text-ink-2">
            {isSearching ? "Searching" : `Nothing is called “${text}”.`}
          </p>
        )}
      </div>
    </>
  );
}
