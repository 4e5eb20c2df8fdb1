import { useQuery } from "@tanstack/react-query";
import { connectorsOptions } from "../../api/queries/connections";
import { ConnectorMark } from "../ConnectorMark";
import { ErrorState } from "../ErrorState";
import { Skeleton } from "../Skeleton";

interface ConnectorPickerProps {
  onPick: (connector: string) => void;
}

/** The kinds of systems that can be connected. */
export function ConnectorPicker({ onPick }: ConnectorPickerProps) {
  const { data, error, refetch } = useQuery(connectorsOptions);
  if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return (
    <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
      {data
        ? data.items.map((connector) => (
            <li key={connector.name} className="flex">
              <button
                type="button"
                onClick={() => onPick(connector.name)}
                className="flex grow items-start gap-3 rounded-lg border bg-raised p-3 text-left hover:border-accent hover:bg-hover"
              >
                <span className="mt-0.5">
                  <ConnectorMark connector={connector.name} />
                </span>
                <span className="min-w-0">
                  <span className="block font-medium">{connector.title}</span>
                  <span className="mt-0.5 block text-xs text-ink-2">{connector.summary}</span>
                </span>
              </button>
            </li>
          ))
        : Array.from({ length: 4 }, (_, index) => (
            <li key={index}>
              <Skeleton className="h-[72px] w-full rounded-lg" />
            </li>
          ))}
    </ul>
  );
}
