import { PageHeader } from "../../components/PageHeader";

export default function ReferencePage() {
  return <PageHeader title="API reference" />;
}
