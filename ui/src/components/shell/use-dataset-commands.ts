import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Table2 } from "lucide-react";
import { collectionsOptions, reportsOptions } from "../../api/queries/data";
import { linkOf, matches, servedOf } from "../../pages/data/served";
import type { Command } from "./commands";

/** Of each kind; more words find the others. */
const SHOWN_MAX = 5;

/** The tables and reports of the data API, by a part of their names. */
export function useDatasetCommands(text: string): Command[] {
  const isAsked = text !== "";
  const { data: collections } = useQuery({ ...collectionsOptions, enabled: isAsked });
  const { data: reports } = useQuery({ ...reportsOptions, enabled: isAsked });
  const navigate = useNavigate();
  if (!isAsked) return [];

  const served = servedOf(collections ?? [], reports ?? [])
    .filter((one) => matches(one, text))
    .slice(0, SHOWN_MAX)
    .map((one) => ({
      id: `${one.kind} ${one.name}`,
      title: one.name,
      detail: one.kind,
      icon: Table2,
      run: () => void navigate(linkOf(one)),
    }));
  return served;
}
