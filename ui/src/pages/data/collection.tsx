import { PageHeader } from "../../components/PageHeader";

export default function CollectionPage() {
  return <PageHeader title="Collection" />;
}
