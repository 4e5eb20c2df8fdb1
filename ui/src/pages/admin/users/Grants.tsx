import { Plus, X } from "lucide-react";
import type { Granted } from "../../../api/queries/admin";
import { Button } from "../../../components/Button";
import { IconButton } from "../../../components/IconButton";
import { Input } from "../../../components/Input";
import { RoleSelect } from "../RoleSelect";

interface GrantsProps {
  grants: Granted[];
  onChange: (grants: Granted[]) => void;
}

/** Higher roles on pipelines with a tag. */
export function Grants({ grants, onChange }: GrantsProps) {
  const change = (at: number, granted: Granted) =>
    onChange(grants.map((one, index) => (index === at ? granted : one)));
  return (
    <fieldset>
      <legend className="mb-1 font-medium">Also, on pipelines with a tag</legend>
      <div className="flex flex-col gap-2">
        {grants.map((granted, index) => (
          <div key={index} className="flex gap-2">
            <Input
              aria-label="Tag"
              placeholder="Tag"
              value={granted.tag}
              onChange={(event) => change(index, { ...granted, tag: event.target.value })}
            />
            <RoleSelect
              label="Role on this tag"
              className="w-32 shrink-0"
              value={granted.role}
              onValueChange={(role) => change(index, { ...granted, role })}
            />
            <IconButton
              icon={X}
              label={`Take away the role on ${granted.tag || "this tag"}`}
              onClick={() => onChange(grants.filter((_, other) => other !== index))}
            />
          </div>
        ))}
        <span>
          <Button
            icon={Plus}
            size="small"
            onClick={() => onChange([...grants, { tag: "", role: "operator" }])}
          >
            Add a role on a tag
          </Button>
        </span>
      </div>
    </fieldset>
  );
}
