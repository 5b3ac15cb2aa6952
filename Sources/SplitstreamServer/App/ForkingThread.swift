import Dispatch
import Synchronization

/// The one thread that starts children; it lives as long as the process.
///
/// PR_SET_PDEATHSIG (prctl(2)) fires when the thread that forked ends, not the process: a child of
/// a pool's thread would be killed when the pool shrinks.
final class ForkingThread: Sendable {
  static let shared = ForkingThread()

  private let work = Mutex<[@Sendable () -> Void]>([])
  private let isWaiting = DispatchSemaphore(value: 0)

  /// Runs `body` on the thread and waits for its result.
  func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value {
    let result = Answer<Value>()
    work.withLock { work in
      work.append { result.put(body()) }
    }
    isWaiting.signal()
    return result.take()
  }

  private init() {
    _ = LoopThread.start(name: "children") { [self] in
      while true {
        isWaiting.wait()
        let body = work.withLock { $0.removeFirst() }
        body()
      }
    }
  }

  /// One value on its way between two threads.
  private final class Answer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func put(_ new: Value) {
      value.withLock { $0 = new }
      isThere.signal()
    }

    func take() -> Value {
      while true {
        isThere.wait()
        if let value = value.withLock({ $0 }) { return value }
      }
    }
  }
}
