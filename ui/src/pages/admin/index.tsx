import { PageHeader } from "../../components/PageHeader";

export default function AdminPage() {
  return <PageHeader title="Admin" />;
}
