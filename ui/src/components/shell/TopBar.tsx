import { CircleHelp, Menu as MenuIcon, Search } from "lucide-react";
import { IconButton } from "../IconButton";
import { Kbd } from "../Kbd";
import { Breadcrumb } from "./Breadcrumb";
import { LiveIndicator } from "./LiveIndicator";
import { MOD } from "./use-shortcuts";
import { ThemeSwitch } from "./ThemeSwitch";
import { UserMenu } from "./UserMenu";

interface TopBarProps {
  onPalette: () => void;
  onHelp: () => void;
  onMenu: () => void;
}

/** The bar above every page: where one is, search, and who is here. */
export function TopBar({ onPalette, onHelp, onMenu }: TopBarProps) {
  return (
    <header className="flex h-11 shrink-0 items-center gap-1 border-b px-2 sm:px-4">
      <IconButton icon={MenuIcon} label="Menu" className="sm:hidden" onClick={onMenu} />
      <Breadcrumb />
      <button
        type="button"
        onClick={onPalette}
        aria-label="Search and commands"
        className="mr-1 flex h-7 items-center gap-2 rounded border border-line-strong px-2 text-xs text-ink-3 hover:bg-hover hover:text-ink max-md:size-8 max-md:justify-center max-md:border-transparent md:w-56"
      >
        <Search className="size-3.5 max-md:size-4" aria-hidden />
        <span className="grow text-left max-md:hidden">Search</span>
        <span className="flex gap-0.5 max-md:hidden">
          <Kbd>{MOD}</Kbd>
          <Kbd>K</Kbd>
        </span>
      </button>
      <LiveIndicator />
      <IconButton icon={CircleHelp} label="Keys" className="max-sm:hidden" onClick={onHelp} />
      <ThemeSwitch />
      <UserMenu />
    </header>
  );
}
