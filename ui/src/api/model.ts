import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Artifact = Schemas["Artifact"];
export type AuditLine = Schemas["AuditLine"];
export type Backfill = Schemas["Backfill"];
export type Bar = Schemas["Bar"];
export type Cause = Schemas["Cause"];
export type Collection = Schemas["Collection"];
export type CollectionColumn = Schemas["CollectionColumn"];
export type ColumnPlan = Schemas["ColumnPlan"];
export type Connection = Schemas["Connection"];
export type ConnectionFile = Schemas["FilePage"]["items"][number];
export type ConnectionTest = Schemas["LastTest"];
export type Connector = Schemas["Connector"];
export type Dataset = Schemas["DatasetDetails"];
export type DatasetChange = NonNullable<
  paths["/api/v1/datasets/{dataset}"]["patch"]["requestBody"]
>["content"]["application/json"];
export type DatasetColumn = Dataset["schema"][number];
export type DatasetItem = Schemas["DatasetItem"];
export type DatasetLoad = Schemas["DatasetLoad"];
export type DatasetSchema = Schemas["DatasetSchema"];
export type DatasetTest = Schemas["DatasetTest"];
export type LineageGraph = Schemas["LineageGraph"];
export type Fires = Schemas["Fires"];
export type Hit = Schemas["Hit"];
export type Me = Schemas["Me"];
export type NewTokenText = Schemas["NewTokenText"];
export type PipelineDocument = Schemas["PipelineDocument"];
export type PipelineItem = Schemas["PipelineItem"];
export type Plan = Schemas["Plan"];
export type Pool = Schemas["Pool"];
export type Position = Schemas["Position"];
export type Preview = Schemas["Preview"];
export type QueryAnswer = Schemas["QueryAnswer"];
export type QueryLimits = Schemas["QueryLimits"];
export type Report = Schemas["Report"];
export type Role = Schemas["Role"];
export type Run = Schemas["Run"];
export type RunEvent = Schemas["Event"];
export type RunState = Schemas["RunState"];
export type Schedule = Schemas["Item"];
export type SecretName = Schemas["Name"];
export type Settings = Schemas["Settings"];
export type StreamFound = Schemas["Stream2"];
export type TaskRun = Schemas["TaskRun"];
export type TaskState = Schemas["TaskState"];
export type Tested = Schemas["Tested"];
export type Token = Schemas["Token"];
export type User = Schemas["User"];
export type Ways = Schemas["Ways"];
export type Worker = Schemas["Worker"];
export type Endpoint = Schemas["End"];
export type Failure = Schemas["Failure"];
export type Hour = Schemas["Hour"];
export type Overview = Schemas["Overview"];
export type Progress = Schemas["Progress"];
export type RunningRun = Schemas["Running"];
export type StreamItem = Schemas["StreamItem"];
export type StreamProgress = Schemas["StreamFigures"];
export type Sums = Schemas["Sums"];

/** A page of a list. */
export interface Page<T> {
  items: T[];
  next?: string | null;
}
