import { useQuery } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { LogIn } from "lucide-react";
import { waysInOptions } from "../../api/queries/session";
import { buttonClasses } from "../../components/button-classes";
import { Callout } from "../../components/Callout";
import { Entrance } from "../../components/Entrance";
import { localPath } from "./local-path";
import { keepNext } from "./kept-next";
import { PasswordForm } from "./PasswordForm";

/** Why somebody came back from the provider without a session. */
const REASONS: Record<string, string> = {
  refused:
    "You may not enter here, or signing in was broken off. Try again; an administrator finds the reason in the audit log.",
  unavailable: "The provider could not be asked. Try again in a while, or sign in with a password.",
};

export default function SignInPage() {
  const { next, error } = useSearch({ from: "/sign-in" });
  const router = useRouter();
  const { data: ways } = useQuery(waysInOptions);
  const enter = () => router.history.push(localPath(next));

  return (
    <Entrance title="Sign in">
      <div className="flex flex-col gap-4">
        {error && <Callout tone="fail">{REASONS[error] ?? REASONS["unavailable"]}</Callout>}
        {ways?.set_up && (
          <Callout title="This server is new">
            Open the link that it printed when it started, to make the first administrator.
          </Callout>
        )}
        {ways?.oidc && (
          <>
            <a
              href="/api/v1/oidc/start"
              onClick={() => keepNext(next)}
              className={buttonClasses({ look: "primary", size: "large" })}
            >
              <LogIn className="size-4" aria-hidden />
              {ways.label ?? "Sign in with your organisation"}
            </a>
            <div className="flex items-center gap-3 text-xs text-ink-3 before:h-px before:grow before:bg-line after:h-px after:grow after:bg-line">
              or with a password
            </div>
          </>
        )}
        <PasswordForm isSecondary={ways?.oidc === true} onDone={enter} />
      </div>
    </Entrance>
  );
}
