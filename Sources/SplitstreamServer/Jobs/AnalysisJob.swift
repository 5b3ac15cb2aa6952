import Dispatch
import Logging

/// Computes the snapshots that are due, on its own connection and never on a loop; and those asked for.
///
/// Of several processes one is elected at each tick, by an advisory lock.
final class AnalysisJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var ids: ULIDGenerator
    var failures: FailureLog
  }

  /// Two queues, so that nobody who asks for a snapshot waits for all that are due.
  private let scheduled: JobQueue<State>
  private let onDemand: JobQueue<State>
  private let log: Logger

  private static let duePerTick = 100

  init(postgres: PostgresAddress, log: Logger) {
    func state(_ name: String) -> State {
      State(
        postgres: SessionHolder(postgres, applicationName: name),
        ids: ULIDGenerator(refill: { IDSource.randomWords() }), failures: FailureLog(log))
    }
    scheduled = JobQueue("analysis", state: state("splitstream analysis"))
    onDemand = JobQueue("analysis on demand", state: state("splitstream analysis on demand"))
    self.log = log
  }

  func start(everySeconds: Int) {
    scheduled.every(milliseconds: everySeconds * 1000) { [self] state in
      do {
        try computeDue(&state)
        state.failures.succeeded("the analysis")
      } catch {
        state.postgres.close()
        state.failures.failed("the analysis", error)
      }
    }
  }

  func stop() {
    for queue in [scheduled, onDemand] {
      queue.stop()
      queue.sync { $0.postgres.close() }
    }
  }

  /// A snapshot now: counted and audited as a peek.
  ///
  /// - Returns: the snapshot's JSON.
  func compute(_ experiment: ULID, peek: AuditEntry) async throws -> [UInt8] {
    try await onDemand.perform { [self] state in
      do {
        let session = try state.postgres.open()
        // Committed before the reading begins: else a change of the experiment would wait for its
        // end, or make PostgreSQL refuse the snapshot.
        try SnapshotStore(session: session).recordPeek(peek, at: experiment)
        let snapshot = try compute(experiment, isOnDemand: true, session: session, ids: &state.ids)
        guard let snapshot else { throw StorageError.failed(.postgres, "the experiment is gone") }
        return SnapshotCoding.result(snapshot)
      } catch let error as PostgresError {
        throw StorageError(error)
      }
    }
  }

  private func computeDue(_ state: inout State) throws {
    let session = try state.postgres.open()
    let store = SnapshotStore(session: session)
    try store.whenElected {
      var failure: StorageError?
      for experiment in try store.due(limit: Self.duePerTick) {
        do {
          try computeScheduled(experiment, session, &state.ids)
        } catch {
          // One that cannot be computed holds up no other; without the connection none can.
          guard session.isOpen else { throw error }
          failure = .failed(.postgres, "experiment \(experiment): \(error)")
        }
      }
      if let failure { throw failure }
    }
  }

  private func computeScheduled(
    _ experiment: ULID, _ session: PostgresSession, _ ids: inout ULIDGenerator
  ) throws {
    let snapshot = try compute(experiment, isOnDemand: false, session: session, ids: &ids)
    guard let snapshot else { return }
    log.info(
      "snapshot computed",
      metadata: [
        "experiment": "\(experiment)", "outcome": "\(snapshot.result.decision.outcome.rawValue)",
        "milliseconds": .stringConvertible(snapshot.durationMilliseconds),
      ])
  }

  /// Reads, computes and stores in one transaction: a crash leaves the last good snapshot.
  private func compute(
    _ id: ULID, isOnDemand: Bool, session: PostgresSession, ids: inout ULIDGenerator
  ) throws(PostgresError) -> Snapshot? {
    try session.transaction { () throws(PostgresError) in
      let began = DispatchTime.now().uptimeNanoseconds
      let results = ResultStore(session: session)
      let snapshots = SnapshotStore(session: session)
      let asOf = try results.begin()
      guard let experiment = try results.experiment(id), let startedAt = experiment.startedAt else {
        return nil
      }
      let period = ResultStore.Period(experiment, startedAt: startedAt, asOf: asOf)
      let observed = try Observations(experiment, period, from: results)
      let inputs = observed.inputs(
        of: experiment, horizonReached: period.horizonReached,
        previousSequentialP: try snapshots.previousSequentialP(of: id))
      let snapshot = Snapshot(
        id: ids.make(at: period.asOf), experimentID: id, period: period, isOnDemand: isOnDemand,
        inputs: inputs,
        result: SnapshotAnalysis.analyse(inputs), metrics: observed.facts,
        multiVariantUnits: observed.multiVariantUnits,
        peekCount: try snapshots.peekCount(of: id),
        durationMilliseconds: Int((DispatchTime.now().uptimeNanoseconds - began) / 1_000_000))
      try snapshots.insert(snapshot)
      return snapshot
    }
  }
}

/// All that one snapshot reads.
private struct Observations {
  let units: [ResultStore.UnitCount]
  let epochs: [WeightEpoch]
  let metrics: [(metric: Metric, counts: [ResultStore.ConversionCount])]

  init(
    _ experiment: Experiment, _ period: ResultStore.Period, from results: ResultStore
  ) throws(PostgresError) {
    units = try results.units(of: experiment, in: period)
    epochs = try results.epochs(of: experiment)
    let definition = experiment.definition
    // Without a primary metric nothing is decided, and guardrails have nothing to guard.
    let named = definition.primaryMetricID.map { [$0] + definition.guardrailMetricIDs } ?? []
    let known = try results.metrics(named)
    var metrics: [(metric: Metric, counts: [ResultStore.ConversionCount])] = []
    for id in named {
      guard let metric = known[id] else { continue }
      metrics.append((metric, try results.conversions(of: experiment, metric: metric, in: period)))
    }
    self.metrics = metrics
  }

  var multiVariantUnits: Int { units.reduce(0) { $0 + $1.multiVariantUnits } }

  var facts: [Snapshot.MetricFacts] {
    metrics.map { entry in
      Snapshot.MetricFacts(
        metric: entry.metric, lateEventCount: entry.counts.reduce(0) { $0 + $1.lateEvents },
        invalidValueCount: 0)
    }
  }

  func inputs(of experiment: Experiment, horizonReached: Bool, previousSequentialP: Double)
    -> SnapshotInputs
  {
    let variants = experiment.definition.variants
    let totals = variants.map { variant in
      units.reduce(0) { $0 + ($1.variantID == variant.id ? $1.units : 0) }
    }
    return SnapshotInputs(
      variants: variants.map {
        SnapshotVariant(key: $0.key, weight: $0.weight, isControl: $0.isControl)
      },
      phases: epochs.map { epoch in
        WeightPhase(
          weights: epoch.allocation.weights,
          counts: variants.map { variant in
            units.first { $0.variantID == variant.id && $0.epoch == epoch.number }?.units ?? 0
          })
      },
      metrics: metrics.map { entry in
        MetricInputs(
          key: entry.metric.definition.key,
          sample: .binary(
            variants.indices.map { index in
              BinaryCounts(
                units: totals[index],
                conversions: entry.counts.first { $0.variantID == variants[index].id }?.conversions
                  ?? 0)
            }))
      },
      rule: experiment.definition.decisionRule, previousSRMSequentialP: previousSequentialP,
      horizonReached: horizonReached)
  }
}
