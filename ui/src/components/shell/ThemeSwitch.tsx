import { Monitor, Moon, Sun } from "lucide-react";
import { IconButton } from "../IconButton";
import { Menu } from "../Menu";
import { setTheme, useTheme, type Theme } from "../theme";

export const THEMES = [
  { value: "system", label: "As the system", icon: Monitor },
  { value: "light", label: "Light", icon: Sun },
  { value: "dark", label: "Dark", icon: Moon },
] as const satisfies { value: Theme; label: string; icon: typeof Sun }[];

/** Chooses the theme of this browser. */
export function ThemeSwitch() {
  const chosen = useTheme();
  const icon = THEMES.find((theme) => theme.value === chosen)?.icon ?? Monitor;
  return (
    <Menu
      trigger={<IconButton icon={icon} label="Theme" className="max-sm:hidden" />}
      items={THEMES.map(({ value, label, icon: itemIcon }) => ({
        label: value === chosen ? `${label} (now)` : label,
        icon: itemIcon,
        onSelect: () => setTheme(value),
      }))}
    />
  );
}
