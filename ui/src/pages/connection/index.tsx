import { PageHeader } from "../../components/PageHeader";

export default function ConnectionPage() {
  return <PageHeader title="Connection" />;
}
