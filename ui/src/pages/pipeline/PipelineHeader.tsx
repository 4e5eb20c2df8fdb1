import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronDown, History, Pause, Play } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/error";
import { pipelineItemOptions } from "../../api/queries/pipeline-item";
import { usePausePipeline } from "../../api/queries/pipelines";
import { Button } from "../../components/Button";
import { Menu } from "../../components/Menu";
import { PageHeader } from "../../components/PageHeader";
import { Status } from "../../components/Status";
import { TabLinks } from "../../components/TabLinks";
import { Tag } from "../../components/Tag";
import { Time } from "../../components/Time";
import { toast } from "../../components/toasts";
import { BackfillDialog } from "./start/BackfillDialog";
import { StartDialog } from "./start/StartDialog";
import { useAllowed } from "./use-allowed";

const TABS = [
  { tab: "graph", label: "Graph" },
  { tab: "runs", label: "Runs" },
  { tab: "streams", label: "Streams" },
  { tab: "code", label: "Code" },
  { tab: "settings", label: "Settings" },
];

/** What a pipeline is called, how it stands, and how to start it. */
export function PipelineHeader({ name }: { name: string }) {
  const { data: item } = useQuery(pipelineItemOptions(name));
  const [dialog, setDialog] = useState<"start" | "backfill" | null>(null);
  const denial = useAllowed(name, "operator");
  const pause = usePausePipeline();
  const isPaused = item?.paused === true;
  const close = () => setDialog(null);
  const toggle = () =>
    pause.mutate(
      { pipeline: name, paused: !isPaused },
      {
        onSuccess: () =>
          toast(isPaused ? `${name} goes on.` : `${name} is paused: nothing of it starts.`, { tone: "ok" }),
        onError: (error) => toast(messageOf(error), { tone: "fail" }),
      },
    );

  return (
    <PageHeader
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {name}
          {isPaused && <Status state="paused" badge />}
          {item?.last && (
            <Link
              to="/runs/$id"
              params={{ id: String(item.last.run) }}
              aria-label={`Last run ${item.last.run}`}
            >
              <Status state={item.last.state} badge />
            </Link>
          )}
        </span>
      }
      summary={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-0.5">
          {item?.description && <span>{item.description}</span>}
          {item?.next_at && !isPaused && (
            <span>
              next fire <Time at={item.next_at} />
            </span>
          )}
          {item?.owner && <span>owner {item.owner}</span>}
          {item && item.tags.length > 0 && (
            <span className="flex gap-1">
              {item.tags.map((tag) => (
                <Tag key={tag}>{tag}</Tag>
              ))}
            </span>
          )}
        </span>
      }
      actions={
        <>
          <Menu
            trigger={
              <Button>
                More
                <ChevronDown className="size-3.5" aria-hidden />
              </Button>
            }
            items={[
              { label: "Backfill", icon: History, reason: denial, onSelect: () => setDialog("backfill") },
              {
                label: isPaused ? "Let it go on" : "Pause",
                icon: isPaused ? Play : Pause,
                reason: denial,
                onSelect: toggle,
              },
            ]}
          />
          <Button look="primary" icon={Play} reason={denial} onClick={() => setDialog("start")}>
            Run now
          </Button>
          {dialog === "start" && <StartDialog pipeline={name} onClose={close} />}
          {dialog === "backfill" && <BackfillDialog pipeline={name} onClose={close} />}
        </>
      }
    >
      <TabLinks
        label="Parts of the pipeline"
        items={TABS.map(({ tab, label }) => ({
          label,
          link: { to: "/pipelines/$name/$tab", params: { name, tab } },
        }))}
      />
    </PageHeader>
  );
}
