import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { useState } from "react";
import { waysInOptions } from "../../api/queries/session";
import { ButtonLink } from "../../components/ButtonLink";
import { Callout } from "../../components/Callout";
import { Entrance } from "../../components/Entrance";
import { AdminForm } from "./AdminForm";
import { NextSteps } from "./NextSteps";

/** The first run: the link that the server prints leads here, with its secret behind `#`, which browsers send to nobody. */
export default function SetUpPage() {
  const secret = useLocation().hash;
  const { data: ways } = useQuery(waysInOptions);
  const [made, setMade] = useState<string>();

  if (made)
    return (
      <Entrance title={`Welcome, ${made}`} summary="You are the administrator. What comes first?">
        <NextSteps />
      </Entrance>
    );
  if (ways && !ways.set_up)
    return (
      <Entrance title="This server is set up" summary="Its first administrator is there already.">
        <ButtonLink to="/sign-in" look="primary" size="large" className="w-full">
          Sign in
        </ButtonLink>
      </Entrance>
    );
  return (
    <Entrance title="Set up Levada" summary="Make the first administrator. Others are added later.">
      <div className="flex flex-col gap-4">
        {!secret && (
          <Callout tone="warn" title="The link is not complete">
            Open all of the link that the server printed when it started, with what stands behind #.
          </Callout>
        )}
        <AdminForm secret={secret} onDone={setMade} />
      </div>
    </Entrance>
  );
}
