/** What the program and its pages are built with; made by `build/licences.ts`. */
declare module "virtual:licences" {
  type Package = [name: string, version: string, licence: string];
  const licences: { rust: Package[]; npm: Package[] };
  export default licences;
}
