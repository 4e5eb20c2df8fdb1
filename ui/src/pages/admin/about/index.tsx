import { useQuery } from "@tanstack/react-query";
import { openApiOptions } from "../../../api/openapi";
import { Logo } from "../../../components/Logo";
import { Panel } from "../../../components/Panel";
import { Skeleton } from "../../../components/Skeleton";
import { Facts } from "../Facts";
import { Licences } from "./Licences";

/** The version, and the licences of what it is built with. */
export function About() {
  const { data } = useQuery(openApiOptions);
  return (
    <div className="min-h-0 grow overflow-y-auto">
      <div className="flex max-w-4xl flex-col gap-4 p-4 sm:p-6">
        <Panel
          title={
            <span className="flex items-center gap-2">
              <Logo />
              Levada
            </span>
          }
        >
          <Facts
            facts={[
              ["Version", data?.info.version ?? <Skeleton key="v" className="my-1 h-3 w-12" />],
              ["Licence", "MIT or Apache-2.0, as you like"],
            ]}
          />
        </Panel>
        <Licences />
      </div>
    </div>
  );
}
