"""Tells a server of the run of a job, as the integrations of OpenLineage do: with the official client and its transport."""

import sys

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import column_lineage_dataset, error_message_run, schema_dataset
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

url, token, run_id, order = sys.argv[1:5]
transport = HttpTransport(
    HttpConfig(
        url=url,
        auth=ApiKeyTokenProvider({"apiKey": token}),
        retry={"total": 0},
    )
)
client = OpenLineageClient(transport=transport)

orders = "postgres://db.example.com:5432"
fields = [("day", "DATE"), ("sales", "DECIMAL")]
columns = schema_dataset.SchemaDatasetFacet(
    fields=[schema_dataset.SchemaDatasetFacetFields(name=name, type=kind) for name, kind in fields]
)
origin = column_lineage_dataset.InputField(
    namespace=orders,
    name="shop.people",
    field="age",
    transformations=[column_lineage_dataset.Transformation(type="DIRECT", subtype="AGGREGATION")],
)
fields = {"sales": column_lineage_dataset.Fields(inputFields=[origin])}
lineage = column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields)
event = dict(producer="https://example.com/jobs", job=Job("nightly", "sales"))
events = {
    "start": RunEvent(
        eventType=RunState.START,
        eventTime="2026-11-20T03:00:00+00:00",
        run=Run(run_id),
        inputs=[InputDataset(orders, "shop.people"), InputDataset("s3://lake", "days")],
        outputs=[OutputDataset("bigquery", "dw.sales")],
        **event,
    ),
    "complete": RunEvent(
        eventType=RunState.COMPLETE,
        eventTime="2026-11-20T03:05:00.123456+00:00",
        run=Run(run_id),
        outputs=[OutputDataset("bigquery", "dw.sales", facets={"schema": columns, "columnLineage": lineage})],
        **event,
    ),
    "fail": RunEvent(
        eventType=RunState.FAIL,
        eventTime="2026-11-20T03:01:00+00:00",
        run=Run(run_id, {"errorMessage": error_message_run.ErrorMessageRunFacet("boom", "python")}),
        **event,
    ),
}
for name in order.split(","):
    client.emit(events[name])
client.close()
