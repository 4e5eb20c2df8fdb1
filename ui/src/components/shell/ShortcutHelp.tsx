import { NAVIGATION } from "../../navigation";
import { Dialog } from "../Dialog";
import { Kbd } from "../Kbd";
import { MOD } from "./use-shortcuts";

const KEYS: [string[], string][] = [
  [[MOD, "K"], "Search and commands"],
  [["?"], "This list"],
  [["/"], "Search the list on the page"],
  [["↑", "↓"], "Walk over the rows of a list"],
  [["Enter"], "Open the row"],
  [["Esc"], "Close what is open"],
];

/** Which keys do what. */
export function ShortcutHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const pages: [string[], string][] = NAVIGATION.map((item) => [["g", item.key], item.title]);
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onClose()} title="Keys" size="medium">
      <div className="grid gap-x-8 pb-2 sm:grid-cols-2">
        {[KEYS, pages].map((group, index) => (
          <dl key={index}>
            {group.map(([keys, does]) => (
              <div key={does} className="flex h-8 items-center justify-between border-b">
                <dt className="order-2 flex gap-1">
                  {keys.map((key) => (
                    <Kbd key={key}>{key}</Kbd>
                  ))}
                </dt>
                <dd className="text-ink-2">{does}</dd>
              </div>
            ))}
          </dl>
        ))}
      </div>
    </Dialog>
  );
}
