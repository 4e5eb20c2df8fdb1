/** Where to go after the sign-in: a page of this server, whatever the link says. */
export function localPath(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/sign-in") ? next : "/";
}
