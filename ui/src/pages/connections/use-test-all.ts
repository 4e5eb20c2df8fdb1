import { useState } from "react";
import { useTestConnection } from "../../api/queries/connection-contents";

/** Tests that are under way at once, so that no server is stormed. */
const AT_ONCE = 4;

/** Tries many connections, a few at a time; tells which of them are under way. */
export function useTestAll() {
  const [testing, setTesting] = useState<ReadonlySet<string>>(new Set());
  const { mutateAsync } = useTestConnection();

  const testAll = async (names: readonly string[]) => {
    const waiting = [...names];
    setTesting(new Set(names));
    const work = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const done = name;
        await mutateAsync(done).catch(() => undefined);
        setTesting((before) => new Set([...before].filter((one) => one !== done)));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  };
  return { testing, testAll };
}
