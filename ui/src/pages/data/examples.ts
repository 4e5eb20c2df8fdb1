/** What to write into `levada.yaml` for a first table and a first query. */
export function exampleYaml(connection: string): string {
  return `collections:
  department:
    connection: ${connection}
    columns:
      name: { type: text, required: true, unique: true, check: { max_length: 100 } }
      budget: { type: "decimal(12,2)", default: 0, check: { min: 0 } }
reports:
  large_departments:
    connection: ${connection}
    query: SELECT name, budget FROM department WHERE budget >= :least ORDER BY budget DESC
    params: { least: { type: "decimal(12,2)", default: 1000 } }
`;
}
