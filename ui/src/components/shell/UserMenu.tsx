import { KeyRound, LogOut } from "lucide-react";
import { useState } from "react";
import { useMe, useSignOut } from "../../api/queries/session";
import { Menu, type MenuItem } from "../Menu";
import { setTheme } from "../theme";
import { useWidth } from "../use-breakpoint";
import { PasswordDialog } from "./PasswordDialog";
import { THEMES } from "./ThemeSwitch";

/** Who is signed in, and what concerns them alone. */
export function UserMenu() {
  const me = useMe();
  const signOut = useSignOut();
  const [isChanging, setChanging] = useState(false);
  const isPhone = useWidth() === 0;
  const themes: (MenuItem | "line")[] = THEMES.map(({ value, label, icon }) => ({
    label: `Theme: ${label.toLowerCase()}`,
    icon,
    onSelect: () => setTheme(value),
  }));
  return (
    <>
      <Menu
        trigger={
          <button
            type="button"
            aria-label={`Signed in as ${me.name}`}
            className="ml-1 flex size-7 shrink-0 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold text-accent-strong uppercase"
          >
            {me.name.charAt(0)}
          </button>
        }
        heading={
          <>
            <p className="font-medium">{me.name}</p>
            <p className="text-xs text-ink-2">
              {me.role}
              {me.grants.map((grant) => `, ${grant.role} on ${grant.tag}`)}
            </p>
          </>
        }
        items={[
          ...(isPhone ? [...themes, "line" as const] : []),
          { label: "Change password", icon: KeyRound, onSelect: () => setChanging(true) },
          "line",
          { label: "Sign out", icon: LogOut, onSelect: () => signOut.mutate() },
        ]}
      />
      {isChanging && <PasswordDialog onClose={() => setChanging(false)} />}
    </>
  );
}
