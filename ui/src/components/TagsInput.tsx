import { X } from "lucide-react";
import { useState } from "react";
import { Button } from "./Button";
import { IconButton } from "./IconButton";
import { Input } from "./Input";

interface TagsInputProps {
  tags: string[];
  onChange: (tags: string[]) => void;
}

/** Tags, added one by one with Enter or a comma. */
export function TagsInput({ tags, onChange }: TagsInputProps) {
  const [typed, setTyped] = useState("");
  const add = () => {
    const tag = typed.replace(",", "").trim();
    if (tag && !tags.includes(tag)) onChange([...tags, tag]);
    setTyped("");
  };
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      {tags.map((tag) => (
        <span key={tag} className="flex h-7 items-center rounded border bg-sunken pl-2">
          {tag}
          <IconButton
            icon={X}
            label={`Remove the tag ${tag}`}
            size="small"
            onClick={() => onChange(tags.filter((other) => other !== tag))}
          />
        </span>
      ))}
      <span className="flex gap-1.5">
        <Input
          aria-label="Tag"
          value={typed}
          placeholder="Tag"
          className="w-32!"
          onChange={(event) => setTyped(event.target.value)}
          onBlur={add}
          onKeyDown={(event) => {
            if (event.key !== "Enter" && event.key !== ",") return;
            event.preventDefault();
            add();
          }}
        />
        <Button onClick={add} disabled={!typed.trim()}>
          Add
        </Button>
      </span>
    </div>
  );
}
