import { Link, useMatches } from "@tanstack/react-router";
import { Fragment } from "react";
import { useCrumbs } from "./use-crumbs";

/** The way to the page. */
export function Breadcrumb() {
  const crumbs = useCrumbs(useMatches());
  return (
    <nav aria-label="Breadcrumb" className="min-w-0 grow">
      <ol className="flex min-w-0 items-center gap-1.5">
        {crumbs.map(({ label, to }, index) => (
          <Fragment key={index}>
            {index > 0 && (
              <li aria-hidden className="text-ink-3">
                /
              </li>
            )}
            <li className={to ? "shrink-0" : "truncate font-medium"}>
              {to ? (
                <Link to={to} className="text-ink-2 hover:text-ink">
                  {label}
                </Link>
              ) : (
                <span aria-current="page">{label}</span>
              )}
            </li>
          </Fragment>
        ))}
      </ol>
    </nav>
  );
}
