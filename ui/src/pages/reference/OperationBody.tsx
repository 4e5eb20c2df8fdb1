import { KeyRound } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Content, OpenApi, Response } from "../../api/openapi";
import { CopyButton } from "../../components/CopyButton";
import { commandOf } from "./command";
import type { Operation } from "./operations";
import { Parameters } from "./Parameters";
import { SchemaTree } from "./SchemaTree";

/** Who may, the command, what goes in, and what comes out. */
export function OperationBody({ operation, document }: { operation: Operation; document: OpenApi }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const command = commandOf(operation, document, window.location.origin, values);
  return (
    <div className="flex flex-col gap-5">
      <p className="flex items-center gap-1.5 text-ink-2">
        <KeyRound className="size-3.5 text-ink-3" aria-hidden />
        {operation.access}
      </p>
      <section aria-label="Command">
        <div className="mb-1.5 flex items-center justify-between">
          <h3 className="font-semibold">Command</h3>
          <CopyButton text={command} what="curl" withWords />
        </div>
        <pre
          tabIndex={0}
          aria-label="Command"
          className="overflow-x-auto rounded border bg-sunken p-3 font-mono text-xs/5"
        >
          {command}
        </pre>
      </section>
      {operation.parameters.length > 0 && (
        <Part title="Parameters">
          <Parameters
            parameters={operation.parameters}
            document={document}
            values={values}
            onChange={(name, value) => setValues({ ...values, [name]: value })}
          />
        </Part>
      )}
      {operation.body && (
        <Part title="Body">
          <Contents content={operation.body} document={document} isOpen />
        </Part>
      )}
      <Part title="Answers">
        {operation.responses.map(([status, response]) => (
          <Answer key={status} status={status} response={response} document={document} />
        ))}
      </Part>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3 className="mb-1.5 font-semibold">{title}</h3>
      {children}
    </section>
  );
}

function Answer({ status, response, document }: { status: string; response: Response; document: OpenApi }) {
  const known = response.$ref
    ? document.components.responses?.[response.$ref.split("/").at(-1) ?? ""]
    : response;
  const isProblem = status === "default";
  return (
    <div className="border-t py-2 first:border-t-0">
      <p className="flex items-baseline gap-2">
        <span className={`font-mono text-xs font-semibold ${isProblem ? "text-fail" : "text-ok"}`}>
          {isProblem ? "4xx, 5xx" : status}
        </span>
        <span className="text-ink-2">
          {isProblem ? "Problem details, with the kind and what to do" : known?.description}
        </span>
      </p>
      {known?.content && <Contents content={known.content} document={document} isOpen={!isProblem} />}
    </div>
  );
}

function Contents({ content, document, isOpen }: { content: Content; document: OpenApi; isOpen: boolean }) {
  return Object.entries(content).map(([mediaType, { schema }]) => (
    <div key={mediaType} className="mt-1">
      <p className="font-mono text-2xs text-ink-3">{mediaType}</p>
      {schema && <SchemaTree schema={schema} document={document} isOpen={isOpen} />}
    </div>
  ));
}
