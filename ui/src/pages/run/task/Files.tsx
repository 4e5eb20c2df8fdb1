import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Download, Eye, FileText } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../../api/error";
import type { Run, TaskRun } from "../../../api/model";
import { fileAddress, filesOptions } from "../../../api/queries/connection-files";
import { connectionOptions, connectorsOptions } from "../../../api/queries/connections";
import { pipelineStreamsOptions } from "../../../api/queries/pipeline-streams";
import { artifactAddress, artifactsOptions, fileTextOptions } from "../../../api/queries/run-parts";
import { Bytes } from "../../../components/Bytes";
import { Callout } from "../../../components/Callout";
import { Code } from "../../../components/Code";
import { Dialog } from "../../../components/Dialog";
import { EmptyState } from "../../../components/EmptyState";
import { ErrorState } from "../../../components/ErrorState";
import { IconButton } from "../../../components/IconButton";
import { Skeleton } from "../../../components/Skeleton";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { Time } from "../../../components/Time";
import { buttonClasses } from "../../../components/button-classes";
import type { TaskEntry } from "../../../format/pipeline-outline";
import { useAllowed } from "../../pipeline/use-allowed";
import { artifactFolder, isText } from "./file-names";

interface FilesProps {
  run: Run;
  task: TaskRun;
  item: number | null;
  entry: TaskEntry | null;
}

interface FoundFile {
  path: string;
  name: string;
  bytes: number;
  at: string | null;
  address: string;
}

/** The files that a task left in the run's folder, and those that it wrote into a folder or bucket. */
export function Files({ run, task, item, entry }: FilesProps) {
  const [open, setOpen] = useState<FoundFile | null>(null);
  const { data, error, refetch } = useInfiniteQuery(artifactsOptions(run.id));
  const to = entry?.kind === "sync" ? destinationOf(entry) : null;
  const isEditor = useAllowed(run.pipeline, "editor") === undefined;
  const { data: destination } = useQuery({
    ...connectionOptions(to ?? ""),
    enabled: to !== null && isEditor,
    retry: false,
  });
  const { data: connectors } = useQuery({ ...connectorsOptions, enabled: destination !== undefined });
  const connector = connectors?.items.find(({ name }) => name === destination?.data.connector);
  const isFiles = connector?.files === true;

  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={3} />;
  const folder = artifactFolder(task.task, item);
  const own = data.pages
    .flatMap((page) => page.items)
    .filter(({ path }) => belongs(path, folder, item === null))
    .map((file): FoundFile => ({
      path: file.path,
      name: file.path.slice(file.path.indexOf("/") + 1),
      bytes: file.bytes,
      at: file.modified_at ?? null,
      address: artifactAddress(run.id, file.path),
    }));

  return (
    <div className="flex min-h-0 grow flex-col overflow-y-auto">
      {own.length > 0 && <FileList files={own} onOpen={setOpen} />}
      {isFiles && to !== null && <Written run={run} task={task} connection={to} onOpen={setOpen} />}
      {own.length === 0 && !isFiles && (
        <EmptyState icon={FileText} title="No files">
          {entry?.kind === "command"
            ? "What a program leaves in LEVADA_RUN_DIR and artifacts names is kept here."
            : "This task left none."}
        </EmptyState>
      )}
      {open && <FileDialog file={open} onClose={() => setOpen(null)} />}
    </div>
  );
}

/** The files behind the destination that were written while the task was at work. */
function Written({
  run,
  task,
  connection,
  onOpen,
}: {
  run: Run;
  task: TaskRun;
  connection: string;
  onOpen: (file: FoundFile) => void;
}) {
  const streams = useInfiniteQuery(pipelineStreamsOptions(run.pipeline));
  const targets = streams.data?.pages
    .flatMap((page) => page.items)
    .filter((stream) => stream.task === task.task && stream.target)
    .map((stream) => stream.target as string);
  if (!targets) return <SkeletonRows rows={3} />;
  return [...new Set(targets)].map((target) => (
    <WrittenTo key={target} task={task} connection={connection} target={target} onOpen={onOpen} />
  ));
}

interface WrittenToProps {
  task: TaskRun;
  connection: string;
  target: string;
  onOpen: (file: FoundFile) => void;
}

function WrittenTo({ task, connection, target, onOpen }: WrittenToProps) {
  const { data, error } = useInfiniteQuery({ ...filesOptions(connection, target), retry: false });
  const since = Date.parse(task.started_at ?? "");
  const until = task.ended_at ? Date.parse(task.ended_at) + 60_000 : Infinity;
  if (error)
    return (
      <div className="p-4">
        <Callout tone="warn">{messageOf(error)}</Callout>
      </div>
    );
  const files = data?.pages
    .flatMap((page) => page.items)
    .filter(({ modified_at: at }) => Date.parse(at) >= since - 2_000 && Date.parse(at) <= until)
    .map((file): FoundFile => ({
      path: file.path,
      name: file.path,
      bytes: file.bytes,
      at: file.modified_at,
      address: fileAddress(connection, file.path),
    }));
  if (!files) return <SkeletonRows rows={3} />;
  return (
    <section aria-label={`Files in ${connection}`}>
      <h3 className="border-b bg-sunken px-4 py-1.5 text-xs font-medium text-ink-2 sm:px-6">
        {target} in {connection}
      </h3>
      {files.length > 0 ? (
        <FileList files={files} onOpen={onOpen} />
      ) : (
        <p className="px-4 py-3 text-ink-2 sm:px-6">
          Nothing new was written here, or later loads have replaced it.
        </p>
      )}
    </section>
  );
}

function FileList({ files, onOpen }: { files: FoundFile[]; onOpen: (file: FoundFile) => void }) {
  return (
    <ul>
      {files.map((file) => (
        <li key={file.path} className="flex items-center gap-3 border-b px-4 py-1 hover:bg-hover sm:px-6">
          <FileText className="size-3.5 shrink-0 text-ink-3" aria-hidden />
          <span className="min-w-0 grow truncate" title={file.path}>
            {file.name}
          </span>
          <span className="text-xs text-ink-2">
            <Bytes value={file.bytes} />
          </span>
          <span className="hidden w-20 text-right text-xs text-ink-2 sm:block">
            <Time at={file.at} />
          </span>
          <IconButton
            icon={Eye}
            label={`View ${file.name}`}
            size="small"
            reason={isText(file.path) ? undefined : "It is no text."}
            onClick={() => onOpen(file)}
          />
          <a
            href={file.address}
            download={file.name.split("/").at(-1)}
            aria-label={`Download ${file.name}`}
            title="Download"
            className="inline-flex size-6 items-center justify-center rounded text-ink-2 hover:bg-hover hover:text-ink"
          >
            <Download className="size-3.5" aria-hidden />
          </a>
        </li>
      ))}
    </ul>
  );
}

function FileDialog({ file, onClose }: { file: FoundFile; onClose: () => void }) {
  const { data, error, refetch } = useQuery(fileTextOptions(file.address));
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={file.name}
      size="large"
      footer={
        <a href={file.address} download={file.name.split("/").at(-1)} className={buttonClasses({})}>
          <Download className="size-3.5" aria-hidden />
          Download
        </a>
      }
    >
      {error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : data ? (
        <div className="flex flex-col gap-2">
          {!data.isWhole && (
            <Callout>This is the beginning of the file. Download it to see the rest.</Callout>
          )}
          <Code
            value={data.text}
            language={file.path.endsWith(".json") ? "json" : "text"}
            label={file.name}
            height="55vh"
          />
        </div>
      ) : (
        <Skeleton className="h-[55vh] w-full" />
      )}
    </Dialog>
  );
}

function destinationOf(entry: TaskEntry): string | null {
  const { sync } = entry.value as { sync?: { to?: unknown } };
  return typeof sync?.to === "string" ? sync.to : null;
}

/** Whether a file is in the folder of a task; those of its items belong to it too. */
function belongs(path: string, folder: string, withItems: boolean): boolean {
  const first = path.split("/")[0] ?? "";
  return first === folder || (withItems && first.startsWith(`${folder}.`));
}
