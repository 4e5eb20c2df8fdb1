import { useInfiniteQuery } from "@tanstack/react-query";
import { UserPlus } from "lucide-react";
import { useMemo, useState } from "react";
import type { Role, User } from "../../../api/model";
import { usersOptions } from "../../../api/queries/admin";
import { Button } from "../../../components/Button";
import { DataTable } from "../../../components/DataTable";
import { EmptyState } from "../../../components/EmptyState";
import { FilterBar } from "../../../components/FilterBar";
import { FilterSelect } from "../../../components/FilterSelect";
import { SearchInput } from "../../../components/SearchInput";
import { useFiltered } from "../../../components/use-filtered";
import { usePagedRows } from "../../../components/use-paged-rows";
import { useUrlFilters } from "../../../components/use-url-filters";
import { ROLES } from "../roles";
import { columnsWith } from "./columns";
import { NewUserDialog } from "./NewUserDialog";
import { RemoveUser } from "./RemoveUser";
import { ResetPassword } from "./ResetPassword";
import { SessionsDialog } from "./SessionsDialog";
import { UserDialog } from "./UserDialog";

/** What is being done about a user. */
export interface Doing {
  what: "edit" | "password" | "sessions" | "remove";
  user: User;
}

/** Who can sign in, and what they may do. */
export function Users() {
  const [{ q, role }, setFilters] = useUrlFilters<"q" | "role">();
  const list = usePagedRows<User>(useInfiniteQuery(usersOptions(role ? { role: role as Role } : {})));
  const rows = useFiltered(list.rows, q, (user) => [user.name, user.display_name, user.email]);
  const [isNew, setNew] = useState(false);
  const [doing, setDoing] = useState<Doing | null>(null);
  const columns = useMemo(() => columnsWith(setDoing), []);
  const end = () => setDoing(null);
  return (
    <>
      <FilterBar>
        <SearchInput
          label="Search users"
          value={q ?? ""}
          onValueChange={(next) => setFilters({ q: next })}
          className="grow basis-40 sm:max-w-72"
        />
        <FilterSelect
          label="Role"
          value={role}
          onValueChange={(next) => setFilters({ role: next })}
          options={ROLES.map(({ value }) => ({ value, label: value }))}
        />
        <span className="ml-auto">
          <Button look="primary" icon={UserPlus} onClick={() => setNew(true)}>
            Add user
          </Button>
        </span>
      </FilterBar>
      <DataTable
        label="Users"
        columns={columns}
        rowKey={(user) => user.name}
        onOpen={(user) => setDoing({ what: "edit", user })}
        empty={<EmptyState title="Nobody is like that">Search for less, or choose another role.</EmptyState>}
        {...list}
        rows={rows}
      />
      {isNew && <NewUserDialog onClose={() => setNew(false)} />}
      {doing?.what === "edit" && <UserDialog name={doing.user.name} onClose={end} />}
      {doing?.what === "password" && <ResetPassword name={doing.user.name} onClose={end} />}
      {doing?.what === "sessions" && <SessionsDialog name={doing.user.name} onClose={end} />}
      {doing?.what === "remove" && <RemoveUser user={doing.user} onClose={end} />}
    </>
  );
}
