/// One look at an experiment: what was computed, from what, and when.
struct Snapshot: Sendable {
  /// What is told of a metric beside its statistics.
  struct MetricFacts: Sendable {
    let metric: Metric
    let lateEventCount: Int
    let invalidValueCount: Int
  }

  let id: ULID
  let experimentID: ULID
  let period: ResultStore.Period
  let isOnDemand: Bool
  let inputs: SnapshotInputs
  let result: SnapshotResult
  /// In the order of `inputs.metrics`: the primary first.
  let metrics: [MetricFacts]
  let multiVariantUnits: Int
  let peekCount: Int
  let durationMilliseconds: Int
}
