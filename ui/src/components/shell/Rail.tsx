import { Link } from "@tanstack/react-router";
import { PanelLeftClose, PanelLeftOpen } from "lucide-react";
import { useState } from "react";
import { classes } from "../classes";
import { IconButton } from "../IconButton";
import { Logo } from "../Logo";
import { RailLinks } from "./RailLinks";

const KEY = "levada.rail";

/** The rail at the left: where one is, and where one can go. Narrow windows have a menu instead. */
export function Rail() {
  const [isNarrow, setNarrow] = useState(() => localStorage.getItem(KEY) === "narrow");
  const toggle = () => {
    localStorage.setItem(KEY, isNarrow ? "wide" : "narrow");
    setNarrow(!isNarrow);
  };
  return (
    <aside
      className={classes(
        "hidden shrink-0 flex-col border-r bg-rail sm:flex",
        isNarrow ? "w-[52px]" : "w-[200px]",
      )}
    >
      <Link to="/" aria-label="Levada" className="flex h-11 items-center gap-2 px-4 -outline-offset-2">
        <Logo />
        {!isNarrow && <span className="text-base font-semibold tracking-tight">Levada</span>}
      </Link>
      <RailLinks isNarrow={isNarrow} />
      <div className="mt-auto p-2">
        <IconButton
          icon={isNarrow ? PanelLeftOpen : PanelLeftClose}
          label={isNarrow ? "Widen the rail" : "Narrow the rail"}
          onClick={toggle}
        />
      </div>
    </aside>
  );
}
