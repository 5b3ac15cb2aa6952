import Dispatch

/// A job's serial queue, its timer, and the state that only the queue touches: blocking
/// connections, counters.
///
/// `@unchecked Sendable`: `state` is read and written in blocks of `queue` only, which is private
/// to this file.
final class JobQueue<State>: @unchecked Sendable {
  private let queue: DispatchQueue
  private var state: State
  private var timers: [any DispatchSourceTimer] = []
  private var isStopped = false

  init(_ name: String, state: sending State) {
    queue = DispatchQueue(label: name)
    self.state = state
  }

  /// Runs `body` every `milliseconds`, the first time after as many, never twice at a time.
  func every(milliseconds: Int, _ body: @escaping @Sendable (inout State) -> Void) {
    queue.async { [self] in
      if isStopped { return }
      let timer = DispatchSource.makeTimerSource(queue: queue)
      timer.schedule(
        deadline: .now() + .milliseconds(milliseconds), repeating: .milliseconds(milliseconds),
        leeway: .milliseconds(10))
      timer.setEventHandler { [self] in body(&state) }
      timers.append(timer)
      timer.resume()
    }
  }

  /// Runs `body` after what is queued already; the caller does not wait.
  func async(_ body: @escaping @Sendable (inout State) -> Void) {
    queue.async { [self] in
      if !isStopped { body(&state) }
    }
  }

  /// Runs `body` after what is queued already and suspends the caller until then, without blocking
  /// its thread.
  func perform<T: Sendable>(_ body: @escaping @Sendable (inout State) throws -> T) async throws -> T
  {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [self] in continuation.resume(with: Result { try body(&state) }) }
    }
  }

  /// The same for a caller that may block.
  func sync<T>(_ body: (inout State) throws -> T) rethrows -> T {
    try queue.sync { try body(&state) }
  }

  /// Ends the timers and waits for what runs.
  func stop() {
    queue.sync {
      isStopped = true
      for timer in timers { timer.cancel() }
      timers = []
    }
  }
}
