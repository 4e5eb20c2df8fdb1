import { useMutation, useQuery } from "@tanstack/react-query";
import { Download, FileChartColumn, Play } from "lucide-react";
import { useMemo, useState } from "react";
import { downloadReport, readReport } from "../../../api/data";
import { messageOf } from "../../../api/error";
import { keys } from "../../../api/keys";
import type { Report } from "../../../api/model";
import { Button } from "../../../components/Button";
import { CopyButton } from "../../../components/CopyButton";
import { EmptyState } from "../../../components/EmptyState";
import { Field } from "../../../components/Field";
import { Menu } from "../../../components/Menu";
import { saveFile } from "../../../components/save-file";
import { toast } from "../../../components/toasts";
import { useUrlFilters } from "../../../components/use-url-filters";
import { curl } from "../../../format/curl";
import { plural } from "../../../format/numbers";
import { textOf, valueOf } from "../values";
import { ValueInput } from "../ValueInput";
import { ResultGrid } from "./ResultGrid";

/** Parameters, the answer, and the answer as a file. What was asked is in the address. */
export function RunReport({ report }: { report: Report }) {
  const [search, setSearch] = useUrlFilters<string>();
  const given = useMemo(
    () =>
      Object.fromEntries(
        report.params.map((param) => [param.name, search[`p.${param.name}`] ?? textOf(param.default)]),
      ),
    [report, search],
  );
  const [typed, setTyped] = useState<Record<string, string>>({});
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const values = { ...given, ...typed };
  const query = queryOf(report, given);
  const isAsked = search["run"] === "true";
  const isJson = report.formats.includes("json");
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: keys.data("report", report.name, query),
    queryFn: ({ signal }) =>
      readReport(report.path, new URLSearchParams(`${query}${query && "&"}format=json`), signal),
    enabled: isAsked && isJson,
    staleTime: Infinity,
    retry: false,
  });
  const download = useMutation({
    mutationFn: (format: string) =>
      downloadReport(report.path, new URLSearchParams(`${query}${query && "&"}format=${format}`)),
    onSuccess: ({ name, content }) => saveFile(name, content),
    onError: (failure) => toast(messageOf(failure), { tone: "fail" }),
  });
  const address = `${window.location.origin}${report.path}${query && `?${query}`}`;

  const run = () => {
    const mistakes = mistakesOf(report, values);
    setWrong(mistakes);
    if (Object.keys(mistakes).length > 0) return;
    const isSame = isAsked && queryOf(report, values) === query;
    setTyped({});
    if (isSame) void refetch();
    else
      setSearch({
        run: "true",
        ...Object.fromEntries(report.params.map(({ name }) => [`p.${name}`, values[name]])),
      });
  };

  return (
    <>
      <form
        noValidate
        className="flex flex-wrap items-start gap-3 border-b px-4 py-3 sm:px-6"
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        {report.params.map((param) => (
          <Field
            key={param.name}
            label={param.name}
            hint={param.description ?? param.type}
            error={wrong[param.name]}
            className="min-w-40 max-sm:w-full"
          >
            <ValueInput
              column={{ type: param.type, one_of: [], required: true }}
              value={values[param.name] ?? ""}
              onValueChange={(value) => setTyped({ ...typed, [param.name]: value })}
            />
          </Field>
        ))}
        <span
          className={
            report.params.length > 0
              ? "flex flex-wrap items-center gap-2 sm:mt-[22px]"
              : "flex flex-wrap items-center gap-2"
          }
        >
          <Button
            look="primary"
            type="submit"
            icon={Play}
            busy={isFetching}
            disabled={!isJson}
            reason={isJson ? undefined : "This report is served as a file only."}
          >
            Run
          </Button>
          <Menu
            trigger={
              <Button icon={Download} busy={download.isPending}>
                Download
              </Button>
            }
            align="start"
            items={report.formats.map((format) => ({
              label: FORMATS[format],
              onSelect: () => download.mutate(format),
            }))}
          />
          <CopyButton
            text={curl({
              method: "GET",
              url: `${address}${query ? "&" : "?"}format=${report.formats[0] ?? "csv"}`,
              isDownload: true,
            })}
            what="curl"
            withWords
            size="medium"
          />
          {data && <span className="text-xs text-ink-2">{plural(data.length, "row")}</span>}
        </span>
      </form>
      {isAsked && isJson ? (
        <ResultGrid
          label={report.name}
          rows={isFetching ? undefined : data}
          error={isFetching ? null : error}
          onRetry={() => void refetch()}
        />
      ) : (
        <EmptyState icon={FileChartColumn} title="Not run yet">
          Give the parameters and run it, or download it as a file.
        </EmptyState>
      )}
    </>
  );
}

const FORMATS = { csv: "As CSV", json: "As JSON", parquet: "As Parquet" };

function queryOf(report: Report, values: Record<string, string>): string {
  const query = new URLSearchParams();
  for (const { name } of report.params) if (values[name]) query.set(name, values[name]);
  return query.toString();
}

function mistakesOf(report: Report, values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    report.params.flatMap(({ name, type, default: usual }) => {
      const text = values[name] ?? "";
      if (!text && (usual === null || usual === undefined)) return [[name, "This is needed."]];
      const read = valueOf(type, text);
      return "error" in read ? [[name, read.error]] : [];
    }),
  );
}
