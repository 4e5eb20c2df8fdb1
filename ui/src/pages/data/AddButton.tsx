import { Plus } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Example } from "./Example";

/** Tells how another table or query is served. */
export function AddButton() {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button icon={Plus} onClick={() => setOpen(true)}>
        Add to the Data API
      </Button>
      <Dialog
        open={isOpen}
        onOpenChange={setOpen}
        size="large"
        title="Serve another table or query"
        description="Both are written in levada.yaml; levada apply puts them to work."
        footer={<Button onClick={() => setOpen(false)}>Close</Button>}
      >
        <Example />
      </Dialog>
    </>
  );
}
