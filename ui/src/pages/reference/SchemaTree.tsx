import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { OpenApi, Schema } from "../../api/openapi";
import { classes } from "../../components/classes";
import { alternatives, namedValues, resolved, typeWords } from "./operations";

interface SchemaTreeProps {
  schema: Schema;
  document: OpenApi;
  /** Whether its fields show at once. */
  isOpen?: boolean;
}

/** What a value looks like, as a tree that opens level by level. */
export function SchemaTree({ schema, document, isOpen = false }: SchemaTreeProps) {
  return (
    <ul className="mt-1 rounded border py-1">
      <Node
        name={null}
        schema={schema}
        document={document}
        isRequired={false}
        startsOpen={isOpen}
        depth={0}
      />
    </ul>
  );
}

interface NodeProps {
  name: string | null;
  schema: Schema;
  document: OpenApi;
  isRequired: boolean;
  startsOpen: boolean;
  depth: number;
}

function Node({ name, schema, document, isRequired, startsOpen, depth }: NodeProps) {
  const [isOpen, setOpen] = useState(startsOpen);
  const children = childrenOf(schema, document);
  const { schema: plain } = resolved(schema, document);
  const values = namedValues(plain);
  const limits = limitsOf(plain);
  const head = (
    <>
      {name !== null && <code className="font-mono text-xs font-semibold">{name}</code>}
      <span className="text-xs text-ink-3">{typeWords(schema, document)}</span>
      {isRequired && <span className="text-xs text-warn">required</span>}
    </>
  );
  return (
    <li>
      <div className="px-2 py-1" style={{ paddingLeft: 8 + depth * 18 }}>
        {children.length > 0 ? (
          <button
            type="button"
            aria-expanded={isOpen}
            onClick={() => setOpen(!isOpen)}
            className="flex flex-wrap items-center gap-x-2 rounded-sm text-left hover:text-accent-strong"
          >
            <ChevronRight
              className={classes("size-3 shrink-0 text-ink-3 transition-transform", isOpen && "rotate-90")}
              aria-hidden
            />
            {head}
          </button>
        ) : (
          <p className="flex flex-wrap items-center gap-x-2 pl-5">{head}</p>
        )}
        {(schema.description ?? plain.description) && (
          <p className="pl-5 text-ink-2">{schema.description ?? plain.description}</p>
        )}
        {values && (
          <p className="pl-5 font-mono text-xs text-ink-2 wrap-anywhere">{values.map(String).join(" | ")}</p>
        )}
        {limits && <p className="pl-5 text-xs text-ink-3">{limits}</p>}
      </div>
      {isOpen && children.length > 0 && (
        <ul>
          {children.map((child, index) => (
            <Node
              key={child.name ?? index}
              {...child}
              document={document}
              startsOpen={false}
              depth={depth + 1}
            />
          ))}
        </ul>
      )}
    </li>
  );
}

interface Child {
  name: string | null;
  schema: Schema;
  isRequired: boolean;
}

/** The fields of an object, those of the items of a list, or the forms that a value can have. */
function childrenOf(schema: Schema, document: OpenApi): Child[] {
  const { schema: plain } = resolved(schema, document);
  if (namedValues(plain)) return [];
  const some = alternatives(plain);
  if (some.length === 1 && some[0]) return childrenOf(some[0], document);
  if (some.length > 1) return some.map((one) => ({ name: null, schema: one, isRequired: false }));
  if (plain.items) return childrenOf(plain.items, document);
  return Object.entries(plain.properties ?? {}).map(([name, property]) => ({
    name,
    schema: property,
    isRequired: plain.required?.includes(name) ?? false,
  }));
}

function limitsOf({ minimum, maximum, minLength, maxLength, pattern, default: usual }: Schema): string {
  return [
    minimum === undefined || minimum === 0 ? "" : `at least ${minimum}`,
    maximum === undefined ? "" : `at most ${maximum}`,
    minLength === undefined ? "" : `${minLength} characters or more`,
    maxLength === undefined ? "" : `at most ${maxLength} characters`,
    pattern === undefined ? "" : `matches ${pattern}`,
    usual === undefined || usual === null ? "" : `${JSON.stringify(usual)} unless given`,
  ]
    .filter(Boolean)
    .join(", ");
}
