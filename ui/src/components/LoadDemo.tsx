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
  return (
    <Button
      icon={Sparkles}
      busy={demo.isPending}
      onClick={() =>
        demo.mutate(undefined, {
          onSuccess: (run) => void navigate({ to: "/runs/$id", params: { id: String(run.id) } }),
          onError: (error) => toast(messageOf(error), { tone: "fail" }),
        })
      }
    >
      Load the demo
    </Button>
  );
}
