"""Reads events, one JSON object a line, with the classes of the official client, and fails for what they do not take."""

import json
import sys
from urllib.parse import urlparse

from openlineage.client import event_v2 as event
from openlineage.client import facet_v2 as facet
from openlineage.client.serde import Serde


def columns(fields):
    return [facet.schema_dataset.SchemaDatasetFacetFields(**field) for field in fields]


def origins(fields):
    kit = facet.column_lineage_dataset

    def origin(field):
        field["transformations"] = [kit.Transformation(**one) for one in field["transformations"]]
        return kit.InputField(**field)

    return {name: kit.Fields(inputFields=[origin(one) for one in field["inputFields"]]) for name, field in fields.items()}


FACETS = {
    "processing_engine": (facet.processing_engine_run.ProcessingEngineRunFacet, {}),
    "parent": (
        facet.parent_run.ParentRunFacet,
        {"run": lambda run: facet.parent_run.Run(**run), "job": lambda job: facet.parent_run.Job(**job)},
    ),
    "nominalTime": (facet.nominal_time_run.NominalTimeRunFacet, {}),
    "errorMessage": (facet.error_message_run.ErrorMessageRunFacet, {}),
    "jobType": (facet.job_type_job.JobTypeJobFacet, {}),
    "schema": (facet.schema_dataset.SchemaDatasetFacet, {"fields": columns}),
    "columnLineage": (facet.column_lineage_dataset.ColumnLineageDatasetFacet, {"fields": origins}),
    "outputStatistics": (facet.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet, {}),
    "inputStatistics": (facet.input_statistics_input_dataset.InputStatisticsInputDatasetFacet, {}),
}


def facets(found):
    built = {}
    for name, fields in found.items():
        kind, parts = FACETS[name]
        producer, schema = fields.pop("_producer"), fields.pop("_schemaURL")
        assert schema == kind._get_schema(), f"{schema} is not {kind._get_schema()}"
        assert urlparse(producer).scheme
        built[name] = kind(**{key: parts.get(key, lambda value: value)(value) for key, value in fields.items()})
    return built


def datasets(kind, found, own):
    return [
        kind(one["namespace"], one["name"], facets=facets(one.get("facets", {})), **{own: facets(one.get(own, {}))})
        for one in found
    ]


for line in sys.stdin:
    told = json.loads(line)
    assert set(told) == {"eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"}, set(told)
    assert told["schemaURL"] == event.RunEvent._get_schema()
    read = event.RunEvent(
        eventType=event.RunState(told["eventType"]),
        eventTime=told["eventTime"],
        producer=told["producer"],
        run=event.Run(told["run"]["runId"], facets(told["run"]["facets"])),
        job=event.Job(told["job"]["namespace"], told["job"]["name"], facets(told["job"]["facets"])),
        inputs=datasets(event.InputDataset, told["inputs"], "inputFacets"),
        outputs=datasets(event.OutputDataset, told["outputs"], "outputFacets"),
    )
    again = json.loads(Serde.to_json(read))
    print(again["eventType"], again["job"]["name"], len(again["inputs"]), len(again["outputs"]))
