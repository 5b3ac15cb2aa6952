"""The main flow with the client that openapi-python-client makes of openapi.json.

Every answer is decoded by it.
"""

from answers import client, decoded, server
from splitstream_client.api.assignment import assign
from splitstream_client.api.environments import list_environments
from splitstream_client.api.events import track_event, track_event_batch
from splitstream_client.api.experiments import (
    create_experiment,
    get_experiment,
    list_experiments,
    start_experiment,
    stop_experiment,
)
from splitstream_client.api.metrics import create_metric
from splitstream_client.api.results import compute_snapshot, get_results, get_results_history
from splitstream_client import models as m
from splitstream_client.types import UNSET

environments = decoded(list_environments, 200, m.EnvironmentList, client=server).data
dev = next(e.id for e in environments if e.slug == "dev")

metric = decoded(
    create_metric, 201, m.Metric, client=server,
    body=m.MetricInput(
        key="bought", name="Bought", event_key="bought", kind=m.MetricInputKind.BINARY))

draft = m.ExperimentInput(
    environment_id=dev, key="python-client", name="Python client", hypothesis="It fits",
    unit_type=m.ExperimentInputUnitType.USER, primary_metric_id=metric.id,
    variants=[m.VariantInput(key="a", weight=50), m.VariantInput(key="b", weight=50)])
experiment = decoded(
    create_experiment, 201, m.Experiment, client=server, body=draft, idempotency_key="main-flow")
again = decoded(
    create_experiment, 201, m.Experiment, client=server, body=draft, idempotency_key="main-flow")
assert again.id == experiment.id and experiment.stop_reason is UNSET

refused = decoded(create_experiment, 409, m.Problem, client=server, body=draft)
assert refused.title and refused.status == 409

running = decoded(start_experiment, 200, m.Experiment, experiment.id, client=server)
assert running.status == m.ExperimentStatus.RUNNING

variants = {}
for number in range(40):
    unit = f"user-{number}"
    seen = decoded(
        assign, 200, m.Assignment, client=client,
        body=m.AssignInput(experiment_key="python-client", unit_id=unit))
    assert seen.variant in ("a", "b") and seen.reason == m.AssignmentReason.BUCKETED
    variants[unit] = seen.variant
for unit in list(variants)[:10]:
    body = m.EventInput(event_key="bought", unit_id=unit, client_event_id=f"order-{unit}")
    assert decoded(track_event, 202, m.EventAck, client=client, body=body).accepted
    assert decoded(track_event, 202, m.EventAck, client=client, body=body).idempotent_replay
batch = m.EventBatchInput(events=[m.EventInput(event_key="bought", unit_id="user-11")])
accepted = decoded(track_event_batch, 202, m.EventBatchAck, client=client, body=batch)
assert accepted.accepted_count == 1

snapshot = decoded(compute_snapshot, 201, m.AnalysisSnapshot, experiment.id, client=server)
assert sum(v.sample_size for v in snapshot.per_variant) == 40
assert sum(v.conversions for v in snapshot.per_variant) == 11
latest = decoded(get_results, 200, m.AnalysisSnapshot, experiment.id, client=server)
assert latest.id == snapshot.id
history = decoded(get_results_history, 200, m.AnalysisSnapshotHistory, experiment.id, client=server)
assert [s.id for s in history.snapshots] == [snapshot.id]

stopped = decoded(
    stop_experiment, 200, m.Experiment, experiment.id, client=server,
    body=m.StopExperimentInput(reason=m.StopExperimentInputReason.INCONCLUSIVE))
assert stopped.status == m.ExperimentStatus.STOPPED
listed = decoded(
    list_experiments, 200, m.ExperimentList, client=server, status=m.ListExperimentsStatus.STOPPED)
assert experiment.id in [e.id for e in listed.data]
read = decoded(get_experiment, 200, m.Experiment, experiment.id, client=server)
assert read.stop_reason == "inconclusive"
print("created, started, assigned 40 units, counted 11 conversions, computed, read and stopped")
