import Logging

/// Starts and stops experiments at their planned times, within seconds; of several processes one at
/// each tick.
final class ScheduleJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var ids: ULIDGenerator
    var failures: FailureLog
  }

  private let queue: JobQueue<State>
  private let clock: ServerClock
  private let log: Logger

  init(postgres: PostgresAddress, clock: ServerClock, log: Logger) {
    queue = JobQueue(
      "schedule",
      state: State(
        postgres: SessionHolder(postgres, applicationName: "splitstream schedule"),
        ids: ULIDGenerator(refill: { IDSource.randomWords() }), failures: FailureLog(log)))
    self.clock = clock
    self.log = log
  }

  func start(everySeconds: Int) {
    queue.every(milliseconds: everySeconds * 1000) { [self] state in
      do {
        let session = try state.postgres.open()
        for step in try ExperimentSchedule(session: session).run(newID: {
          state.ids.make(at: clock.now)
        }) {
          log.notice("\(step.action) as planned", metadata: ["experiment": "\(step.experiment)"])
        }
        state.failures.succeeded("the schedule")
      } catch {
        state.postgres.close()
        state.failures.failed("the schedule", error)
      }
    }
  }

  func stop() {
    queue.stop()
    queue.sync { $0.postgres.close() }
  }
}
