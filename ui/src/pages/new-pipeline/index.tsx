import { PageHeader } from "../../components/PageHeader";

export default function NewPipelinePage() {
  return <PageHeader title="New pipeline" />;
}
