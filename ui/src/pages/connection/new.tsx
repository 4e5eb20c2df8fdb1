import { PageHeader } from "../../components/PageHeader";

export default function NewConnectionPage() {
  return <PageHeader title="New connection" />;
}
