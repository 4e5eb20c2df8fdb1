import { PageHeader } from "../../components/PageHeader";

export default function PipelinePage() {
  return <PageHeader title="Pipeline" />;
}
