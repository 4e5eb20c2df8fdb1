import { useInfiniteQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import type { Token } from "../../../api/model";
import { tokensOptions, useRevokeToken } from "../../../api/queries/admin";
import { useMe } from "../../../api/queries/session";
import { hasRole } from "../../../api/roles";
import { Button } from "../../../components/Button";
import { ConfirmDialog } from "../../../components/ConfirmDialog";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import { FilterBar } from "../../../components/FilterBar";
import { SearchInput } from "../../../components/SearchInput";
import { Switch } from "../../../components/Switch";
import { toast } from "../../../components/toasts";
import { useFiltered } from "../../../components/use-filtered";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useUrlFilters } from "../../../components/use-url-filters";
import { columnsWith } from "./columns";
import { NewTokenDialog } from "./NewTokenDialog";

/** Tokens for programs: everybody's own, and all of them for an administrator. */
export function Tokens() {
  const me = useMe();
  const isAdmin = hasRole(me, "admin");
  const [{ q, all }, setFilters] = useUrlFilters<"q" | "all">();
  const isAll = isAdmin && all === "true";
  const list = usePagedRows<Token>(useInfiniteQuery(tokensOptions(isAll)));
  const rows = useFiltered(list.rows, q, (token) => [token.name, token.user]);
  const [isNew, setNew] = useState(false);
  const [revoked, setRevoked] = useState<Token | null>(null);
  const revoke = useRevokeToken();
  const columns = useMemo(() => columnsWith(isAll, setRevoked), [isAll]);
  const make = (
    <Button look="primary" icon={Plus} onClick={() => setNew(true)}>
      New token
    </Button>
  );
  return (
    <>
      <FilterBar>
        <SearchInput
          label="Search tokens"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-40 sm:max-w-72"
        />
        {isAdmin ? (
          <span className="flex h-8 items-center gap-2 text-ink-2">
            <Switch
              checked={isAll}
              onCheckedChange={(on) => setFilters({ all: on ? "true" : undefined })}
              label="Tokens of everybody"
            />
            <span aria-hidden>Tokens of everybody</span>
          </span>
        ) : (
          <p className="text-ink-2">Your own; an administrator sees those of everybody.</p>
        )}
        {list.rows?.length !== 0 && <span className="ml-auto">{make}</span>}
      </FilterBar>
      <DataTable
        label="Tokens"
        columns={columns}
        rowKey={(token) => String(token.id)}
        empty={
          q ? (
            <EmptyState title="No token is like that">Search for less.</EmptyState>
          ) : (
            <EmptyState icon={KeyRound} title="No token yet" action={make}>
              A program signs in with a token, and may do no more than you allow it.
            </EmptyState>
          )
        }
        {...list}
        rows={rows}
      />
      {isNew && <NewTokenDialog onClose={() => setNew(false)} />}
      <ConfirmDialog
        open={revoked !== null}
        onOpenChange={(open) => !open && setRevoked(null)}
        title={`Revoke the token ${revoked?.name ?? ""}?`}
        action="Revoke"
        onConfirm={async () => {
          if (revoked) await revoke.mutateAsync(revoked.id);
          toast("The token does nothing any more.", { tone: "ok" });
        }}
      >
        Programs that use it are refused from now on. This cannot be undone.
      </ConfirmDialog>
    </>
  );
}
