import { useParams } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { useMe } from "../../api/queries/session";
import { hasRole } from "../../api/roles";
import { NotFound } from "../../components/NotFound";
import { PageHeader } from "../../components/PageHeader";
import { TabLinks } from "../../components/TabLinks";
import { TakesRole } from "../../components/TakesRole";
import { About } from "./about";
import { Account } from "./Account";
import { Audit } from "./audit";
import { Secrets } from "./secrets";
import { SECTIONS, type Section } from "./sections";
import { SettingsSection } from "./Settings";
import { Tokens } from "./tokens";
import { Users } from "./users";
import { Workers } from "./workers";

const PARTS: Record<Section["id"], ComponentType> = {
  users: Users,
  tokens: Tokens,
  secrets: Secrets,
  audit: Audit,
  workers: Workers,
  settings: SettingsSection,
  account: Account,
  about: About,
};

export default function AdminPage() {
  const { section: id } = useParams({ from: "/inside/admin/$section" });
  const me = useMe();
  const section = SECTIONS.find((one) => one.id === id);
  const shown = SECTIONS.filter((one) => hasRole(me, one.role));
  if (!section) return <NotFound />;
  const Part = PARTS[section.id];
  return (
    <div className="flex h-full flex-col">
      <PageHeader title="Admin" summary="Who may do what, what executes, and how this server is set up">
        <TabLinks
          label="Admin"
          items={shown.map((one) => ({
            label: one.title,
            link: { to: "/admin/$section", params: { section: one.id } },
          }))}
        />
      </PageHeader>
      {hasRole(me, section.role) ? (
        <Part />
      ) : (
        <TakesRole
          what={`${section.title} take${section.title.endsWith("s") ? "" : "s"}`}
          role={section.role}
        />
      )}
    </div>
  );
}
