import Dispatch
import Logging

/// Keeps the catalogue of this process up to date: LISTEN for what changes, what has changed read
/// by itself, and every so often a comparison with all that there is, in case a notice was lost.
/// Its every tick is a heartbeat: that PostgreSQL still tells of changes.
final class CatalogueRefreshJob: Sendable {
  private struct State {
    var session: SessionHolder
    var listening: PostgresSession?
    var catalogue = Catalogue()
    var lastFullRead: UInt64 = 0
    var failures: FailureLog
  }

  /// How long a lost notice may stay unnoticed.
  private static let fullReadSeconds: UInt64 = 30
  private static let tickMilliseconds = 250
  /// A session that takes longer to answer nothing is replaced: changes may go unheard.
  private static let answerSecondsMax = 0.5

  private let queue: JobQueue<State>
  private let clock: ServerClock
  private let assignments: AssignmentCache
  private let heartbeat: Heartbeat
  private let publish: @Sendable (Catalogue) -> Void

  /// - Parameters:
  ///   - assignments: forgets the units that other processes re-bucket.
  ///   - heartbeat: told whenever all changes so far are known.
  ///   - publish: gives every loop the new catalogue; called on the job's queue.
  init(
    postgres: PostgresAddress, clock: ServerClock, assignments: AssignmentCache,
    heartbeat: Heartbeat, log: Logger, publish: @escaping @Sendable (Catalogue) -> Void
  ) {
    queue = JobQueue(
      "catalogue",
      state: State(
        session: SessionHolder(postgres, applicationName: "splitstream catalogue"),
        failures: FailureLog(log)))
    self.clock = clock
    self.assignments = assignments
    self.heartbeat = heartbeat
    self.publish = publish
  }

  /// Reads the catalogue for the first time, on the calling thread, then keeps it up to date.
  ///
  /// - Throws: `StorageError` when PostgreSQL is not there yet; the job goes on trying.
  func start() throws(StorageError) {
    let result: Result<Void, StorageError> = queue.sync { state in
      do throws(StorageError) {
        try hear(&state)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    queue.every(milliseconds: Self.tickMilliseconds) { [self] state in tick(&state) }
    try result.get()
  }

  func stop() {
    queue.stop()
    queue.sync { $0.session.close() }
  }

  /// Applies a change that this process has committed; returns when it is published.
  func apply(_ change: CatalogueChange) async {
    // A failure here is made good by the notice, or by the next full read.
    try? await queue.perform { [self] state in
      let reader = CatalogueReader(session: try state.session.open())
      try reader.apply([change], to: &state.catalogue)
      publish(state.catalogue)
    }
  }

  private func tick(_ state: inout State) {
    do throws(StorageError) {
      do throws(StorageError) {
        try hear(&state)
      } catch {
        // The server may have ended just this session: another one is tried at once.
        state.session.close()
        try hear(&state)
      }
      state.failures.succeeded("refreshing the catalogue")
    } catch {
      state.session.close()
      state.failures.failed("refreshing the catalogue", error)
    }
  }

  /// Learns of all that was committed before.
  private func hear(_ state: inout State) throws(StorageError) {
    let begin = Heartbeat.now()
    if try state.session.open() !== state.listening || isStale(state) {
      try refresh(&state)
    } else {
      try takeNotices(&state)
    }
    heartbeat.note(begin)
  }

  private func isStale(_ state: State) -> Bool {
    DispatchTime.now().uptimeNanoseconds - state.lastFullRead > Self.fullReadSeconds * 1_000_000_000
  }

  /// Reads everything that is not known; LISTEN comes first, so that nothing changes unheard in
  /// between.
  private func refresh(_ state: inout State) throws(StorageError) {
    let session = try state.session.open()
    do {
      if session !== state.listening {
        try session.listen(CatalogueReader.channel)
        try session.listen(Vacancy.channel)
        // What was re-bucketed while nobody listened is unknown.
        assignments.removeAll()
      }
    } catch {
      throw StorageError(error)
    }
    state.listening = session
    let reader = CatalogueReader(session: session)
    let asked = ServerClock.processTime()
    clock.adjust(to: try reader.time(), askedAt: asked, answeredAt: ServerClock.processTime())
    state.catalogue = try reader.all(butWhatIsIn: state.catalogue)
    state.lastFullRead = DispatchTime.now().uptimeNanoseconds
    publish(state.catalogue)
  }

  private func takeNotices(_ state: inout State) throws(StorageError) {
    let session = try state.session.open()
    let notices: [PostgresNotification]
    do {
      try session.awaitAnswer(withinSeconds: Self.answerSecondsMax)
      notices = try session.takeNotifications()
    } catch {
      throw StorageError(error)
    }
    for notice in notices where notice.channel == Vacancy.channel {
      if let vacancy = Vacancy(notice: notice.payload) {
        assignments.remove(vacancy.unit, in: vacancy.experiment)
      }
    }
    let changes = Set(notices.compactMap { CatalogueReader.change($0.payload) })
    if changes.isEmpty { return }
    let reader = CatalogueReader(session: session)
    try reader.apply(changes, to: &state.catalogue)
    publish(state.catalogue)
  }
}
