import { useInfiniteQuery } from "@tanstack/react-query";
import { KeyRound, Plus, RefreshCw, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import type { SecretName } from "../../../api/model";
import { secretsOptions, useRemoveSecret } from "../../../api/queries/admin";
import { useDenial } from "../../../api/roles";
import { Button } from "../../../components/Button";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { CopyButton } from "../../../components/CopyButton";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import { FilterBar } from "../../../components/FilterBar";
import { IconButton } from "../../../components/IconButton";
import { SearchInput } from "../../../components/SearchInput";
import type { Column } from "../../../components/table-columns";
import { Time } from "../../../components/Time";
import { toast } from "../../../components/toasts";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useUrlFilters } from "../../../components/use-url-filters";
import { SecretDialog } from "./SecretDialog";

/** The names of stored secrets. Their values come in, and never out. */
export function Secrets() {
  const [{ q }, setFilters] = useUrlFilters<"q">();
  const list = usePagedRows<SecretName>(useInfiniteQuery(secretsOptions(q)));
  const [set, setSet] = useState<string | null>(null);
  const [removed, setRemoved] = useState<string | null>(null);
  const remove = useRemoveSecret();
  const denial = useDenial("admin");
  const columns = useMemo(() => columnsWith(denial, setSet, setRemoved), [denial]);
  const add = (
    <Button look="primary" icon={Plus} reason={denial} onClick={() => setSet("")}>
      Set a secret
    </Button>
  );
  return (
    <>
      <FilterBar>
        <SearchInput
          label="Search secrets"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-48 sm:max-w-72"
        />
        {(q || list.rows?.length !== 0) && <span className="ml-auto">{add}</span>}
      </FilterBar>
      <DataTable
        label="Secrets"
        columns={columns}
        rowKey={(secret) => secret.name}
        empty={
          q ? (
            <EmptyState title="No secret is called that" />
          ) : (
            <EmptyState icon={KeyRound} title="No secret yet" action={add}>
              Documents refer to a secret as {"${secret:name}"}; its value is kept encrypted, and never shown.
            </EmptyState>
          )
        }
        {...list}
      />
      {set !== null && <SecretDialog name={set} onClose={() => setSet(null)} />}
      <ConfirmDialog
        open={removed !== null}
        onOpenChange={(open) => !open && setRemoved(null)}
        title={`Remove the secret ${removed ?? ""}?`}
        action="Remove"
        {...(removed !== null && { typeName: removed })}
        onConfirm={async () => {
          if (removed !== null) await remove.mutateAsync(removed);
          toast("The secret is removed.", { tone: "ok" });
        }}
      >
        Connections and pipelines that refer to it fail from now on. Its value is lost.
      </ConfirmDialog>
    </>
  );
}

function columnsWith(
  denial: string | undefined,
  onSet: (name: string) => void,
  onRemove: (name: string) => void,
): Column<SecretName>[] {
  return [
    {
      id: "name",
      header: "Name",
      cell: ({ row }) => <span className="font-mono text-xs font-medium">{row.original.name}</span>,
      meta: { width: "minmax(120px, 2fr)" },
    },
    {
      id: "reference",
      header: "In documents",
      cell: ({ row: { original: secret } }) => (
        <span className="flex items-center gap-1">
          <code className="truncate font-mono text-xs text-ink-2">{`\${secret:${secret.name}}`}</code>
          <CopyButton text={`\${secret:${secret.name}}`} what="the reference" />
        </span>
      ),
      meta: { width: "minmax(0, 2fr)", hideBelow: "sm" },
    },
    {
      id: "updated",
      header: "Set",
      cell: ({ row }) => <Time at={row.original.updated_at} className="text-ink-2" />,
      meta: { width: "88px", align: "right" },
    },
    {
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      cell: ({ row: { original: secret } }) => (
        <span className="flex justify-end gap-1">
          <IconButton
            icon={RefreshCw}
            label={`Set ${secret.name} anew`}
            size="small"
            reason={denial}
            onClick={() => onSet(secret.name)}
          />
          <IconButton
            icon={Trash2}
            label={`Remove ${secret.name}`}
            size="small"
            reason={denial}
            onClick={() => onRemove(secret.name)}
          />
        </span>
      ),
      meta: { width: "56px", align: "right" },
    },
  ];
}
