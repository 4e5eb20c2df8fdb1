import { useNavigate } from "@tanstack/react-router";
import { Sparkles } from "lucide-react";
import { messageOf } from "../api/error";
import { useLoadDemo } from "../api/queries/demo";
import { Button } from "./Button";
import { toast } from "./toasts";

/** Makes the demo, and leads to its first run. */
export function LoadDemo() {
  const navigate = useNavigate();
  const demo = useLoadDemo();
  // the button goes away as soon as a pipeline is there, and what it began goes on
  const load = async () => {
    try {
      const { id } = await demo.mutateAsync();
      await navigate({ to: "/runs/$id", params: { id: String(id) } });
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
  };
  return (
    <Button icon={Sparkles} busy={demo.isPending} onClick={() => void load()}>
      Load the demo
    </Button>
  );
}
