"""Every operation of the published contract with the client that openapi-python-client makes of it:
what was written for version 0.1.0 reads every answer of this server.
"""

import json
import os
import urllib.request

from answers import client, decoded, server
from splitstream_client import models as m
from splitstream_client.api.api_keys import create_api_key, list_api_keys
from splitstream_client.api.assignment import (
    assign, assign_batch, force_rebucket, get_assignments_for_unit)
from splitstream_client.api.audit import list_audit
from splitstream_client.api.environments import create_environment, list_environments
from splitstream_client.api.events import log_exposure, track_event, track_event_batch
from splitstream_client.api.experiments import (
    archive_experiment, create_experiment, get_experiment, list_experiments, start_experiment,
    stop_experiment, update_experiment)
from splitstream_client.api.health import healthz
from splitstream_client.api.metrics import create_metric, list_metrics
from splitstream_client.api.mutex_groups import create_mutex_group, list_mutex_groups
from splitstream_client.api.results import get_results, get_results_history
from splitstream_client.api.workspaces import get_current_workspace
from splitstream_client.types import UNSET

decoded(healthz, 200, m.Health, client=server)
decoded(get_current_workspace, 200, m.Workspace, client=server)
decoded(
    create_environment, 201, m.Environment, client=server,
    body=m.EnvironmentInput(name="Published", slug="published"))
environments = decoded(list_environments, 200, m.EnvironmentList, client=server).data
dev = next(e.id for e in environments if e.slug == "dev")

kinds = [m.MetricInputKind(kind) for kind in ("binary", "count", "revenue", "duration")]
metrics = [
    decoded(
        create_metric, 201, m.Metric, client=server,
        body=m.MetricInput(
            key=f"published-{kind.value}", name=kind.value, event_key="bought", kind=kind,
            property_path=UNSET if kind == m.MetricInputKind.BINARY else "$.value"))
    for kind in kinds]
assert decoded(list_metrics, 200, m.MetricList, client=server).data
group = decoded(
    create_mutex_group, 201, m.MutexGroup, client=server,
    body=m.MutexGroupInput(key="published", name="Published"))
assert decoded(list_mutex_groups, 200, m.MutexGroupList, client=server).data


def draft(key, **options):
    return m.ExperimentInput(
        environment_id=dev, key=key, name=key, hypothesis="It reads every answer",
        unit_type=m.ExperimentInputUnitType.USER, primary_metric_id=metrics[0].id,
        guardrail_metric_ids=[metric.id for metric in metrics[1:]],
        variants=[m.VariantInput(key="a", weight=50), m.VariantInput(key="b", weight=50)],
        **options)


def created(key, **options):
    return decoded(create_experiment, 201, m.Experiment, client=server, body=draft(key, **options))


experiments = [created(f"published-{number}", mutex_group_id=group.id) for number in (1, 2)]
plan = m.AudienceExpressionType0.from_dict({"attribute": "plan", "op": "eq", "value": "pro"})
experiments.append(created("published-pros", audience=plan))
for experiment in experiments:
    assert experiment.stop_reason is UNSET and experiment.started_at is None
    decoded(
        update_experiment, 200, m.Experiment, experiment.id, client=server,
        body=draft(experiment.key))
    started = decoded(start_experiment, 200, m.Experiment, experiment.id, client=server)
    assert started.status == m.ExperimentStatus.RUNNING and started.stop_reason is UNSET
    decoded(start_experiment, 409, m.Problem, experiment.id, client=server)

first = decoded(
    assign, 200, m.Assignment, client=client,
    body=m.AssignInput(experiment_key="published-1", unit_id="unit"))
assert first.variant in ("a", "b") and first.exposure_logged_at
batch = decoded(
    assign_batch, 200, m.AssignBatchResult, client=client,
    body=m.AssignBatchInput(
        experiments=["published-1", "published-2", "published-pros", "nobody's"], unit_id="unit"))
reasons = {key: a.reason for key, a in batch.assignments.additional_properties.items()}
assert reasons["published-1"] == m.AssignmentReason.BUCKETED, reasons
assert set(reasons) == {"published-1", "published-2", "published-pros"}
assert decoded(get_assignments_for_unit, 200, m.AssignmentList, "unit", client=client).assignments

event = m.EventInput(
    event_key="bought", unit_id="unit", client_event_id="published-order",
    properties=m.EventInputProperties.from_dict({"value": 9.5}))
assert decoded(track_event, 202, m.EventAck, client=client, body=event).accepted
assert decoded(track_event, 202, m.EventAck, client=client, body=event).idempotent_replay
accepted = decoded(
    track_event_batch, 202, m.EventBatchAck, client=client, body=m.EventBatchInput(events=[event]))
assert accepted.accepted_count == 1
decoded(
    log_exposure, 202, None, client=client,
    body=m.ExposureInput(
        experiment_key="published-1", unit_id="unit", variant=first.variant))

decoded(get_results, 404, None, experiments[1].id, client=server)
request = urllib.request.Request(
    f"{os.environ['SPLITSTREAM_URL']}/v1/experiments/{experiments[0].id}/snapshots", method="POST",
    headers={"Authorization": f"Bearer {os.environ['SPLITSTREAM_SERVER_KEY']}"})
with urllib.request.urlopen(request) as answer:
    computed = json.load(answer)["id"]
latest = decoded(get_results, 200, m.AnalysisSnapshot, experiments[0].id, client=server)
assert latest.id == computed and sum(v.sample_size for v in latest.per_variant) == 1
history = decoded(
    get_results_history, 200, m.AnalysisSnapshotHistory, experiments[0].id, client=server)
assert [snapshot.id for snapshot in history.snapshots] == [computed]

decoded(force_rebucket, 204, None, "published-1", "unit", client=server)
stopped = decoded(
    stop_experiment, 200, m.Experiment, experiments[0].id, client=server,
    body=m.StopExperimentInput(reason=m.StopExperimentInputReason.BUG))
assert stopped.stop_reason == "bug"
decoded(archive_experiment, 204, None, experiments[0].id, client=server)
read = decoded(get_experiment, 200, m.Experiment, experiments[0].id, client=server)
assert read.status == m.ExperimentStatus.ARCHIVED
assert decoded(list_experiments, 200, m.ExperimentList, client=server).data

secret = decoded(
    create_api_key, 201, m.ApiKeyWithSecret, client=server,
    body=m.ApiKeyInput(name="Published", kind=m.ApiKeyInputKind.SERVER))
assert secret.id in [k.id for k in decoded(list_api_keys, 200, m.ApiKeyList, client=server).data]
assert decoded(list_audit, 200, m.AuditList, client=server).data
print("each of the 27 operations of the published contract called, every answer decoded")
