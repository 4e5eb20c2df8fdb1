import { Link } from "@tanstack/react-router";
import { NAVIGATION } from "../../navigation";
import { classes } from "../classes";
import { Tooltip } from "../Tooltip";

interface RailLinksProps {
  isNarrow?: boolean;
  onFollow?: () => void;
}

/** The links of the rail, and of the menu of narrow windows. */
export function RailLinks({ isNarrow = false, onFollow }: RailLinksProps) {
  return (
    <nav aria-label="Main" className="flex flex-col gap-0.5 p-2">
      {NAVIGATION.map(({ to, title, icon: Icon }) => {
        const link = (
          <Link
            key={to}
            to={to}
            onClick={onFollow}
            activeOptions={{ exact: to === "/", includeSearch: false }}
            activeProps={{ "data-active": true }}
            aria-label={isNarrow ? title : undefined}
            className={classes(
              "flex h-8 items-center gap-2.5 rounded px-2.5 text-ink-2 hover:bg-hover hover:text-ink",
              "data-active:bg-accent-soft data-active:font-medium data-active:text-accent-strong",
            )}
          >
            <Icon className="size-4 shrink-0" strokeWidth={1.75} aria-hidden />
            {!isNarrow && title}
          </Link>
        );
        return isNarrow ? (
          <Tooltip key={to} text={title} side="right">
            {link}
          </Tooltip>
        ) : (
          link
        );
      })}
    </nav>
  );
}
