import { later } from "../../components/later";
import { Skeleton } from "../../components/Skeleton";
import type { AnswerChart } from "./chart";

/** An answer as lines. The drawing code is loaded with the first chart. */
export const ChartOfAnswer = later<{ chart: AnswerChart }>(
  () => import("./ChartOfAnswerCanvas"),
  () => <Skeleton className="m-4 h-60" />,
);
