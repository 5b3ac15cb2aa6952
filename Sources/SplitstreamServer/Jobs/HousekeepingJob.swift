import Dispatch
import Logging

/// Small things that are due every few seconds: the last use of keys, idempotency keys that have
/// had their day.
final class HousekeepingJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var failures: FailureLog
  }

  private let queue: JobQueue<State>
  private let usage: KeyUsage

  init(postgres: PostgresAddress, usage: KeyUsage, log: Logger) {
    queue = JobQueue(
      "housekeeping",
      state: State(
        postgres: SessionHolder(postgres, applicationName: "splitstream housekeeping"),
        failures: FailureLog(log)))
    self.usage = usage
  }

  func start(everySeconds: Int) {
    queue.every(milliseconds: everySeconds * 1000) { [self] in keepHouse(&$0) }
  }

  /// Writes down what is left to write, then ends.
  func stop() {
    queue.stop()
    queue.sync { state in
      keepHouse(&state)
      state.postgres.close()
    }
  }

  private func keepHouse(_ state: inout State) {
    let keys = usage.take()
    do {
      let session = try state.postgres.open()
      try KeyUsageStore(session: session).record(keys)
      try session.execute(IdempotencyStore.expire, [])
      state.failures.succeeded("housekeeping")
    } catch {
      usage.putBack(keys)
      state.postgres.close()
      state.failures.failed("housekeeping", error)
    }
  }
}
