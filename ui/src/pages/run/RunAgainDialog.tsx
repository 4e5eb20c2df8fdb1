import type { Run } from "../../api/model";
import { StartDialog } from "../pipeline/start/StartDialog";

/** Starts the pipeline anew, with the parameters of this run to begin with. */
export function RunAgainDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  return <StartDialog pipeline={run.pipeline} params={run.params} onClose={onClose} />;
}
