import { useQuery } from "@tanstack/react-query";
import type { Connection } from "../../api/model";
import { allConnectionsOptions, connectorsOptions } from "../../api/queries/connections";
import { Callout } from "../../components/Callout";
import { Field } from "../../components/Field";
import { Input } from "../../components/Input";
import { ConnectionChoice } from "./ConnectionChoice";
import { changed, missing } from "./draft";
import { StepFooter } from "./StepFooter";
import { targetOf, templateMistake } from "./targets";
import type { StepProps } from "./step-props";
import { useKnown } from "./use-streams";

const SHOWN_MAX = 3;

/** Where the data goes, and what it is called there. */
export function DestinationStep({ draft, onChange }: StepProps) {
  const { data: connections } = useQuery(allConnectionsOptions);
  const { data: connectors } = useQuery(connectorsOptions);
  const known = useKnown(draft);
  const source = connections?.find((one) => one.name === draft.source);
  const target = connections?.find((one) => one.name === draft.destination);
  const isSame = source !== undefined && isSamePlace(source, target);
  const isItself = isSame && !draft.target && draft.streams.some((stream) => !stream.rename);
  const unfit = (connection: Connection) => {
    const connector = connectors?.items.find((one) => one.name === connection.connector);
    return connector?.writes.length === 0 ? `${connector.title} can be read, but not written to.` : undefined;
  };
  const examples = draft.streams.slice(0, SHOWN_MAX).flatMap((stream) => {
    const [found] = known.found.get(stream.name) ?? [];
    return found ? [`${found.stream} becomes ${targetOf(stream.rename || draft.target, found, known)}`] : [];
  });
  const mistake = templateMistake(draft.target, known);
  const reason =
    missing(draft, "destination") ??
    mistake ??
    (isItself ? "Give the targets other names: a stream cannot be loaded into itself." : undefined);

  return (
    <>
      <div className="min-h-0 grow overflow-y-auto">
        <ConnectionChoice
          question="Where does the data go?"
          value={draft.destination}
          onChange={(destination) => onChange((before) => changed(before, { destination }))}
          unfit={unfit}
          remark={(one) => (source && isSamePlace(source, one) ? "The same place as the source." : undefined)}
        />
        {draft.destination && (
          <section className="max-w-xl px-4 pb-6 sm:px-6">
            {isItself && (
              <div className="mb-4">
                <Callout tone="warn" title="Source and destination are the same place">
                  A stream cannot be loaded into itself. Give the targets other names, such as copy_of_
                  {"{table}"}.
                </Callout>
              </div>
            )}
            <Field
              label="Names of the targets"
              optional
              error={mistake}
              hint={
                known.destination?.namespaces
                  ? "{table} and {namespace} stand for those of the stream, a dot separates a namespace: raw.{table}. The next step can name each one by itself."
                  : "{table} stands for the name of the stream: shop_{table}. The next step can name each one by itself."
              }
            >
              <Input
                value={draft.target}
                placeholder="{table}"
                spellCheck={false}
                autoComplete="off"
                className="font-mono text-xs"
                onChange={(event) => onChange((before) => changed(before, { target: event.target.value }))}
              />
            </Field>
            <ul className="mt-2 text-xs text-ink-2">
              {examples.map((line) => (
                <li key={line} className="wrap-anywhere">
                  {line}
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
      <StepFooter step="destination" reason={reason} />
    </>
  );
}

function isSamePlace(one: Connection, other: Connection | undefined): boolean {
  return (
    other !== undefined &&
    (one.name === other.name || (Boolean(one.address) && one.address === other.address))
  );
}
