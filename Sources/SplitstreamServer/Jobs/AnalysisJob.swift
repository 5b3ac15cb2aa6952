import Dispatch
import Logging
import Synchronization

/// Computes the snapshots that are due, on its own connections and never on a loop; and those asked
/// for.
///
/// Of several processes one is elected at each tick, by an advisory lock. In it a few work side by
/// side, so that one large experiment does not hold up all others; who has waited longest comes
/// first.
final class AnalysisJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var ids: ULIDGenerator
    var failures: FailureLog
    /// PostgreSQL's clock when experiments that fell behind were last looked for.
    var lookedAt: Timestamp?
  }

  /// Queues apart, so that nobody who asks for a snapshot waits for all that are due.
  private let scheduled: JobQueue<State>
  private let helpers: [JobQueue<State>]
  private let onDemand: JobQueue<State>
  private let forgetting: JobQueue<State>
  private let bringForwardEvents: Int
  private let log: Logger
  private let isSettled: @Sendable (_ shard: Int) -> Bool

  private static let dueMax = 1000
  /// A first snapshot of many millions of events is one statement.
  private static let statementSeconds = 900.0

  /// - Parameters:
  ///   - parallelMax: experiments that are computed at the same time, each on a connection of its
  ///     own.
  ///   - bringForwardEvents: after so many new events of a metric, an experiment's units are brought
  ///     forward between snapshots; 0: never.
  ///   - isSettled: whether all events of a shard that were accepted before the call are in
  ///     PostgreSQL; it may wait for them for a while.
  init(
    postgres: PostgresAddress, parallelMax: Int, bringForwardEvents: Int, log: Logger,
    isSettled: @escaping @Sendable (_ shard: Int) -> Bool
  ) {
    func state(_ name: String) -> State {
      State(
        postgres: SessionHolder(
          postgres, applicationName: name, timeoutSeconds: Self.statementSeconds),
        ids: ULIDGenerator(refill: { IDSource.randomWords() }), failures: FailureLog(log))
    }
    scheduled = JobQueue("analysis", state: state("splitstream analysis"))
    helpers = (1..<parallelMax).map { _ in
      JobQueue("analysis helper", state: state("splitstream analysis"))
    }
    onDemand = JobQueue("analysis on demand", state: state("splitstream analysis on demand"))
    forgetting = JobQueue("analysis of erased units", state: state("splitstream analysis"))
    self.bringForwardEvents = bringForwardEvents
    self.log = log
    self.isSettled = isSettled
  }

  func start(everySeconds: Int) {
    scheduled.every(milliseconds: everySeconds * 1000) { [self] state in
      do {
        try computeDue(&state, beforeNext: everySeconds)
        state.failures.succeeded("the analysis")
      } catch {
        state.postgres.close()
        state.failures.failed("the analysis", error)
      }
    }
    // Erased units are promised to go soon, however seldom snapshots are looked for.
    forgetting.every(milliseconds: 1000) { [self] state in
      do {
        let session = try state.postgres.open()
        for experiment in try UnitStore(session: session).holdingErased() {
          try forgetErased(of: experiment, session)
        }
        state.failures.succeeded("forgetting erased units")
      } catch {
        state.postgres.close()
        state.failures.failed("forgetting erased units", error)
      }
    }
  }

  func stop() {
    for queue in [scheduled, onDemand, forgetting] + helpers {
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

  private func computeDue(_ state: inout State, beforeNext tickSeconds: Int) throws {
    let began = DispatchTime.now()
    let session = try state.postgres.open()
    let store = SnapshotStore(session: session)
    try store.whenElected {
      let due = ready(try store.due(limit: Self.dueMax)).map(Work.snapshot)
      // Those that do not get their turn before others may be due get it with a later tick.
      let round = Round(
        due, then: try behind(&state.lookedAt, session),
        until: began + .seconds(tickSeconds))
      for helper in helpers { helper.async { [self] in work(on: round, &$0) } }
      work(on: round, &state)
      for helper in helpers { helper.sync { _ in } }
      if round.isCutShort { state.lookedAt = nil }
      try UnitStore(session: session).sweep()
      if let failure = round.failure { throw failure }
    }
  }

  /// Experiments to bring forward without a snapshot, so that the next one finds little that is
  /// new. Looked for only when enough events have been stored since the last look.
  private func behind(_ lookedAt: inout Timestamp?, _ session: PostgresSession) throws -> [Work] {
    guard bringForwardEvents > 0 else { return [] }
    let units = UnitStore(session: session)
    if let last = lookedAt, try units.storedEvents(since: last) < bringForwardEvents { return [] }
    lookedAt = try units.now()
    return try units.behind(by: bringForwardEvents).map(Work.bringForward)
  }

  /// Without those whose last events are still on their way: their turn comes with a later tick.
  private func ready(_ due: [SnapshotStore.Due]) -> [ULID] {
    let shards = Set(due.compactMap(\.awaitedShard))
    let open = shards.filter { !isSettled($0) }
    return due.filter { $0.awaitedShard.map { !open.contains($0) } ?? true }.map(\.experiment)
  }

  private enum Work {
    case snapshot(ULID)
    case bringForward(ULID)

    var experiment: ULID {
      switch self {
      case .snapshot(let experiment), .bringForward(let experiment): experiment
      }
    }
  }

  /// What is to be done in one tick, and what went wrong.
  private final class Round: Sendable {
    private let due: Mutex<ArraySlice<Work>>
    private let spare: Mutex<ArraySlice<Work>>
    private let deadline: DispatchTime
    private let lastFailure = Mutex<StorageError?>(nil)

    /// - Parameter spare: done after all that is due, as far as `deadline` allows.
    init(_ due: [Work], then spare: [Work], until deadline: DispatchTime) {
      self.due = Mutex(due[...])
      self.spare = Mutex(spare[...])
      self.deadline = deadline
    }

    func next() -> Work? {
      if let work = due.withLock({ $0.popFirst() }) { return work }
      guard DispatchTime.now() < deadline else { return nil }
      return spare.withLock { $0.popFirst() }
    }

    var isCutShort: Bool { spare.withLock { !$0.isEmpty } }

    var failure: StorageError? { lastFailure.withLock { $0 } }

    func failed(_ experiment: ULID, _ error: any Error) {
      lastFailure.withLock { $0 = .failed(.postgres, "experiment \(experiment): \(error)") }
    }
  }

  private func work(on round: Round, _ state: inout State) {
    while let work = round.next() {
      do {
        let session = try state.postgres.open()
        switch work {
        case .snapshot(let experiment): try computeScheduled(experiment, session, &state.ids)
        case .bringForward(let experiment): try bringForward(experiment, session)
        }
      } catch {
        // One that cannot be computed holds up no other; without a connection none can be.
        round.failed(work.experiment, error)
        guard (try? state.postgres.open()) != nil else { return }
      }
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

  /// Brings the experiment's units forward without a snapshot: what was erased goes now, not when
  /// the next is due.
  private func forgetErased(of id: ULID, _ session: PostgresSession) throws {
    let units = UnitStore(session: session)
    try units.alone(with: id) {
      if try units.forgetChanges(of: id) { return }
      try continueUnits(of: id, session)
    }
  }

  private func bringForward(_ id: ULID, _ session: PostgresSession) throws {
    let began = DispatchTime.now().uptimeNanoseconds
    try UnitStore(session: session).alone(with: id) { try continueUnits(of: id, session) }
    let milliseconds = (DispatchTime.now().uptimeNanoseconds - began) / 1_000_000
    log.debug(
      "units brought forward",
      metadata: ["experiment": "\(id)", "milliseconds": .stringConvertible(milliseconds)])
  }

  /// Nothing is computed of what is read, and nobody sees it.
  private func continueUnits(of id: ULID, _ session: PostgresSession) throws {
    try session.transaction { () throws(PostgresError) in
      _ = try Observations(of: id, in: session)
    }
  }

  /// Reads, computes and stores in one transaction: a crash leaves the last good snapshot.
  private func compute(
    _ id: ULID, isOnDemand: Bool, session: PostgresSession, ids: inout ULIDGenerator
  ) throws -> Snapshot? {
    try UnitStore(session: session).alone(with: id) {
      try session.transaction { () throws(PostgresError) in
        let began = DispatchTime.now().uptimeNanoseconds
        guard let observed = try Observations(of: id, in: session) else { return nil }
        let snapshots = SnapshotStore(session: session)
        let rule = observed.experiment.definition.decisionRule
        let inputs = observed.inputs(
          previousSequentialP: try snapshots.previousSequentialP(of: id),
          previousRunningP: try snapshots.previousRunningP(of: id, under: rule))
        let snapshot = Snapshot(
          id: ids.make(at: observed.period.asOf), experimentID: id, period: observed.period,
          isOnDemand: isOnDemand, inputs: inputs, result: SnapshotAnalysis.analyse(inputs),
          metrics: observed.facts, multiVariantUnits: observed.multiVariantUnits,
          peekCount: try snapshots.peekCount(of: id),
          durationMilliseconds: Int((DispatchTime.now().uptimeNanoseconds - began) / 1_000_000))
        try snapshots.insert(snapshot)
        return snapshot
      }
    }
  }
}
