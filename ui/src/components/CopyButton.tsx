import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "./Button";
import { IconButton } from "./IconButton";

interface CopyButtonProps {
  text: string;
  /** What is copied: "the run's number", "curl". */
  what: string;
  /** Shows words beside the icon. */
  withWords?: boolean;
  /** With words: as large as the buttons beside it. */
  size?: "small" | "medium";
}

const SHOWN_MS = 1_500;

/** Copies a text, and says that it did. */
export function CopyButton({ text, what, withWords, size = "small" }: CopyButtonProps) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);

  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  const icon = isCopied ? Check : Copy;
  const label = isCopied ? "Copied" : `Copy ${what}`;
  return withWords ? (
    <Button icon={icon} size={size} onClick={copy}>
      {label}
    </Button>
  ) : (
    <IconButton icon={icon} label={label} size="small" onClick={copy} />
  );
}
