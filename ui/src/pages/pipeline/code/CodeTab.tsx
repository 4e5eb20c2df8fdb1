import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { CircleCheck, History, LoaderCircle, RotateCcw } from "lucide-react";
import { useMemo, useState } from "react";
import { versionOptions, versionsOptions } from "../../../api/queries/documents";
import { Button } from "../../../components/Button";
import { Callout } from "../../../components/Callout";
import { classes } from "../../../components/classes";
import { Code } from "../../../components/Code";
import { CodeDiff } from "../../../components/CodeDiff";
import { CopyButton } from "../../../components/CopyButton";
import { Skeleton } from "../../../components/Skeleton";
import { SkeletonRows } from "../../../components/SkeletonRows";
import { Time } from "../../../components/Time";
import { useUrlFilters } from "../../../components/use-url-filters";
import { plural } from "../../../format/numbers";
import type { Outline } from "../../../format/pipeline-outline";
import { useChoices, usePipelineSchema } from "../graph/use-choices";
import { useAllowed } from "../use-allowed";
import type { Draft } from "../use-draft";
import { useMistakes } from "../use-mistakes";
import { useOutline } from "../use-outline";
import { completions } from "./complete";
import { diagnosticsOf } from "./diagnostics";

interface CodeTabProps {
  pipeline: string;
  /** The version that is saved. */
  version: number;
  draft: Draft;
}

const NONE: string[] = [];

/** The document of a pipeline: to write, to compare, and to bring back. */
export default function CodeTab({ pipeline, version, draft }: CodeTabProps) {
  const [search, setSearch] = useUrlFilters<"version">();
  const [hasHistory, setHistory] = useState(search.version !== undefined);
  const denial = useAllowed(pipeline, "editor");
  const schema = usePipelineSchema();
  const outline = useLegible(useOutline(draft.text));
  const choices = useChoices(outline?.connections ?? NONE);
  const { mistakes, isChecking, error } = useMistakes(pipeline, draft.text, !denial && draft.isDirty);
  const diagnostics = useMemo(() => diagnosticsOf(draft.text, mistakes), [draft.text, mistakes]);
  const complete = useMemo(
    () =>
      schema &&
      completions(schema, {
        from: choices.connections,
        to: choices.connections,
        connection: choices.connections,
        channel: choices.channels,
        notify: choices.channels,
        pool: choices.pools,
        pipeline: choices.pipelines,
        after: outline?.tasks.filter((task) => !task.hook).map((task) => task.name) ?? [],
      }),
    [schema, choices, outline],
  );
  const old = search.version && Number(search.version) !== version ? Number(search.version) : null;

  return (
    <div className="flex min-h-0 grow flex-col lg:flex-row">
      <section aria-label="Document" className="flex min-h-[70vh] min-w-0 grow flex-col lg:min-h-0">
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-1.5 sm:px-6">
          {old === null ? (
            <Verdict count={mistakes.length} isChecking={isChecking} hasFailed={error !== null} />
          ) : (
            <span className="font-medium">
              Version {old}{" "}
              <span className="font-normal text-ink-2">
                against {draft.isDirty ? "your changes" : `version ${version}`}
              </span>
            </span>
          )}
          {denial && <span className="text-xs text-ink-2">{denial} You can read it.</span>}
          <span className="ml-auto flex items-center gap-2">
            <CopyButton text={draft.text} what="the YAML" withWords />
            <Button
              size="small"
              icon={History}
              aria-pressed={hasHistory}
              onClick={() => setHistory(!hasHistory)}
            >
              History
            </Button>
          </span>
        </div>
        {old === null ? (
          <>
            <div className="min-h-0 grow [&>*]:h-full [&>*]:rounded-none [&>*]:border-0">
              <Code
                value={draft.text}
                language="yaml"
                label={`Document of ${pipeline}`}
                diagnostics={diagnostics}
                {...(complete && { complete })}
                {...(!denial && {
                  onChange: draft.change,
                  onSubmit: () => void draft.save().catch(() => undefined),
                })}
                height="100%"
              />
            </div>
            {mistakes.length > 0 && (
              <ul
                aria-label="Mistakes"
                className="max-h-40 shrink-0 overflow-y-auto border-t bg-fail-soft px-4 py-2 sm:px-6"
              >
                {mistakes.map((mistake) => (
                  <li key={`${mistake.line} ${mistake.message}`} className="wrap-anywhere">
                    <span className="tabular font-medium text-fail">Line {mistake.line}</span>{" "}
                    {mistake.message} <span className="text-ink-2">{mistake.advice}</span>
                  </li>
                ))}
              </ul>
            )}
          </>
        ) : (
          <OldVersion
            pipeline={pipeline}
            version={old}
            draft={draft}
            denial={denial}
            onBack={() => setSearch({ version: undefined })}
          />
        )}
      </section>
      {hasHistory && (
        <Versions
          pipeline={pipeline}
          current={version}
          shown={old ?? version}
          onShow={(next) => setSearch({ version: next === version ? undefined : String(next) })}
        />
      )}
    </div>
  );
}

/** The last outline that could be read: while somebody types, the text often is no document. */
function useLegible(outline: Outline | undefined): Outline | undefined {
  const [legible, setLegible] = useState(outline);
  if (outline?.problem === null && outline !== legible) setLegible(outline);
  return outline?.problem === null ? outline : legible;
}

function Verdict({
  count,
  isChecking,
  hasFailed,
}: {
  count: number;
  isChecking: boolean;
  hasFailed: boolean;
}) {
  if (hasFailed) return <span className="text-ink-2">It could not be checked</span>;
  if (isChecking)
    return (
      <span role="status" className="flex items-center gap-1.5 text-ink-2">
        <LoaderCircle className="size-3.5 animate-spin" aria-hidden />
        Checking
      </span>
    );
  return count === 0 ? (
    <span role="status" className="flex items-center gap-1.5 text-ok">
      <CircleCheck className="size-3.5" aria-hidden />
      In order
    </span>
  ) : (
    <span role="status" className="font-medium text-fail">
      {plural(count, "mistake")}
    </span>
  );
}

interface OldVersionProps {
  pipeline: string;
  version: number;
  draft: Draft;
  denial: string | undefined;
  onBack: () => void;
}

/** An earlier version compared with the document as it is here now. */
function OldVersion({ pipeline, version, draft, denial, onBack }: OldVersionProps) {
  const { data, error } = useQuery(versionOptions(pipeline, version));
  if (error) return <Callout tone="fail">There is no version {version} any more.</Callout>;
  if (!data) return <SkeletonRows />;
  const restore = () => {
    draft.change(data.text);
    onBack();
  };
  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b px-4 py-1.5 sm:px-6">
        <span className="grow text-ink-2">
          Saved <Time at={data.applied_at} />. Red lines were in it, green ones came later.
        </span>
        <Button size="small" onClick={onBack}>
          Back to the document
        </Button>
        <Button
          size="small"
          look="primary"
          icon={RotateCcw}
          reason={denial ?? (data.text === draft.text ? "It says the same." : undefined)}
          onClick={restore}
        >
          Bring it back
        </Button>
      </div>
      <div className="min-h-0 grow [&>div]:rounded-none [&>div]:border-0">
        <CodeDiff
          before={data.text}
          after={draft.text}
          label={`Version ${version} against the document`}
          height="100%"
        />
      </div>
    </>
  );
}

interface VersionsProps {
  pipeline: string;
  current: number;
  shown: number;
  onShow: (version: number) => void;
}

function Versions({ pipeline, current, shown, onShow }: VersionsProps) {
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(
    versionsOptions(pipeline),
  );
  const versions = data?.pages.flatMap((page) => page.items);
  return (
    <aside
      aria-label="History"
      className="w-full shrink-0 overflow-y-auto border-t lg:w-60 lg:border-t-0 lg:border-l"
    >
      {!versions && <Skeleton className="m-4 h-20" />}
      <ol>
        {versions?.map(({ version, applied_at: at }) => (
          <li key={version} className="border-b">
            <button
              type="button"
              aria-current={version === shown || undefined}
              onClick={() => onShow(version)}
              className={classes(
                "flex w-full items-baseline justify-between gap-2 px-4 py-2 text-left -outline-offset-2 hover:bg-hover",
                version === shown && "bg-accent-soft",
              )}
            >
              <span className="font-medium">
                Version {version}
                {version === current && <span className="ml-1.5 text-xs font-normal text-ink-2">saved</span>}
              </span>
              <span className="text-xs text-ink-2">
                <Time at={at} />
              </span>
            </button>
          </li>
        ))}
      </ol>
      {hasNextPage && (
        <Button
          size="small"
          look="ghost"
          className="m-3"
          busy={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          Earlier versions
        </Button>
      )}
    </aside>
  );
}
