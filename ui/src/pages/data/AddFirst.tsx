import { Database } from "lucide-react";
import { ButtonLink } from "../../components/ButtonLink";
import { Example } from "./Example";

/** What to do where nothing is served yet. */
export function AddFirst() {
  return (
    <div className="mx-auto flex max-w-3xl flex-col gap-4 px-4 py-10 sm:px-6">
      <div className="text-center">
        <Database className="mx-auto mb-3 size-6 text-ink-3" strokeWidth={1.5} aria-hidden />
        <h2 className="text-base font-semibold">No table is served yet</h2>
        <p className="mx-auto mt-1 max-w-lg text-ink-2">
          Add this to <code className="font-mono text-xs">levada.yaml</code> and apply it with{" "}
          <code className="font-mono text-xs">levada apply</code>. The table is made when it is first asked
          for, with an address for its rows, an upload for many, and its documentation.
        </p>
      </div>
      <Example />
      <p className="text-center">
        <ButtonLink to="/connections" look="primary">
          Look at the connections
        </ButtonLink>
      </p>
    </div>
  );
}
