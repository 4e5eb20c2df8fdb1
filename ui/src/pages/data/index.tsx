import { PageHeader } from "../../components/PageHeader";

export default function DataPage() {
  return <PageHeader title="Data API" />;
}
