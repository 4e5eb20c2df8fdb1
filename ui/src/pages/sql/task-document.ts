import { Document, Scalar } from "yaml";
import type { Query } from "../../api/queries/sql";

export interface Target {
  connection: string;
  stream: string;
}

/** A pipeline of one task that loads the answer to a query, each time in place of the rows of before. */
export function taskDocument(name: string, { sql, params }: Query, to: Target): string {
  const query = new Scalar(sql.trim());
  // line by line, as it was written; what cannot stand so is quoted by itself
  query.type = Scalar.BLOCK_LITERAL;
  const document = new Document({
    version: 1,
    name,
    tasks: {
      query: {
        sql: {
          query: null,
          ...(Object.keys(params).length > 0 && { params }),
          to: { ...to, write: "replace" },
        },
      },
    },
  });
  document.setIn(["tasks", "query", "sql", "query"], query);
  return document.toString({ lineWidth: 0 });
}
