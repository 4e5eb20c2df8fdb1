import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useLocation, useMatches, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { followEvents } from "../../api/live-updates";
import { sessionOptions, useMe } from "../../api/queries/session";
import { hasRoleSomewhere } from "../../api/roles";
import { TakesRole } from "../TakesRole";
import { CommandPalette } from "./CommandPalette";
import { Rail } from "./Rail";
import { RailSheet } from "./RailSheet";
import { ShortcutHelp } from "./ShortcutHelp";
import { TopBar } from "./TopBar";
import { useShortcuts } from "./use-shortcuts";

type Overlay = "palette" | "help" | "menu" | null;

/** The frame around the pages behind the sign-in: rail, top bar, palette, keys, and the live connection. */
export function Shell() {
  const [overlay, setOverlay] = useState<Overlay>(null);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const close = () => setOverlay(null);
  useSessionEnd();
  useEvents();
  useShortcuts({ onPalette: () => setOverlay("palette"), onHelp: () => setOverlay("help") });
  useEffect(() => main.current?.focus({ preventScroll: true }), [pathname]);

  return (
    <div className="flex h-dvh overflow-hidden">
      <a
        href="#content"
        className="fixed top-1 left-1 z-50 -translate-y-12 rounded bg-accent px-3 py-1.5 text-on-accent focus:translate-y-0"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <Rail />
      <div className="flex min-w-0 grow flex-col">
        <TopBar
          onPalette={() => setOverlay("palette")}
          onHelp={() => setOverlay("help")}
          onMenu={() => setOverlay("menu")}
        />
        <main ref={main} id="content" tabIndex={-1} className="min-h-0 grow overflow-y-auto outline-none">
          <Permitted />
        </main>
      </div>
      <CommandPalette open={overlay === "palette"} onClose={close} onHelp={() => setOverlay("help")} />
      <ShortcutHelp open={overlay === "help"} onClose={close} />
      <RailSheet open={overlay === "menu"} onClose={close} />
    </div>
  );
}

/** The page, unless it is for others. */
function Permitted() {
  const me = useMe();
  const role = useMatches().at(-1)?.staticData.role;
  if (!role || hasRoleSomewhere(me, role)) return <Outlet />;
  return <TakesRole what="This page takes" role={role} />;
}

/** Leads to the sign-in page when the session ended meanwhile, and back here afterwards. */
function useSessionEnd(): void {
  const { data: me } = useQuery(sessionOptions);
  const navigate = useNavigate();
  const next = useLocation().href;
  useEffect(() => {
    if (me === null) void navigate({ to: "/sign-in", search: next === "/" ? {} : { next } });
  }, [me, navigate, next]);
}

function useEvents(): void {
  const client = useQueryClient();
  useEffect(() => followEvents(client), [client]);
}
