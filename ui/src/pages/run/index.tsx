import { PageHeader } from "../../components/PageHeader";

export default function RunPage() {
  return <PageHeader title="Run" />;
}
