import { useEffect, useState, type ComponentType, type ReactNode } from "react";

type Load<P> = () => Promise<{ default: ComponentType<P> }>;

/**
 * A component whose code comes when it is first drawn, with something in its place until then. Unlike `lazy` with
 * `Suspense`, which holds back what comes within 300 ms of the last place-holder, it is drawn as soon as it is there.
 */
export function later<P extends object>(load: Load<P>, inPlace: (props: P) => ReactNode): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;

  return function Later(props: P) {
    const [Shown, setShown] = useState(() => loaded);
    const [failure, setFailure] = useState<{ error: unknown } | null>(null);
    useEffect(() => {
      if (Shown) return;
      let isWanted = true;
      load().then(
        (module) => {
          loaded = module.default;
          if (isWanted) setShown(() => module.default);
        },
        (error: unknown) => isWanted && setFailure({ error }),
      );
      return () => {
        isWanted = false;
      };
    }, [Shown]);
    if (failure) throw failure.error;
    return Shown ? <Shown {...props} /> : inPlace(props);
  };
}
