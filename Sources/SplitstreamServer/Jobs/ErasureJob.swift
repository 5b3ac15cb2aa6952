import Logging

/// Carries out the erasure of units, within seconds of the order; of several processes one at a
/// time.
final class ErasureJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var failures: FailureLog
  }

  /// A pass reads all events: as long as that may take.
  private static let passSecondsMax = 600.0

  private let queue: JobQueue<State>

  init(postgres: PostgresAddress, log: Logger) {
    queue = JobQueue(
      "erasure",
      state: State(
        postgres: SessionHolder(
          postgres, applicationName: "splitstream erasure", timeoutSeconds: Self.passSecondsMax),
        failures: FailureLog(log)))
  }

  func start(everySeconds: Int) {
    queue.every(milliseconds: everySeconds * 1000) { state in
      do {
        _ = try UnitEraser(session: try state.postgres.open()).carryOut()
        state.failures.succeeded("erasing units")
      } catch {
        state.postgres.close()
        state.failures.failed("erasing units", error)
      }
    }
  }

  func stop() {
    queue.stop()
    queue.sync { $0.postgres.close() }
  }
}
