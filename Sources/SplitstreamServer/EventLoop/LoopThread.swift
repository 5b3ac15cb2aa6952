import CEpoll
import Glibc

/// A thread with a name, for a loop. The body is not written in `main.swift`, where closures belong
/// to the main actor.
enum LoopThread {
  /// Runs `body` on a new thread; `join` waits for its end.
  static func start(name: String, _ body: @escaping @Sendable () -> Void) -> LoopThreadHandle {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Body(name: name, run: body))
    let code = pthread_create(&thread, nil, runBody, box.toOpaque())
    precondition(code == 0, "pthread_create failed with \(code)")
    return LoopThreadHandle(thread: thread)
  }

  private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void
    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }

  private static let runBody:
    @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
      let body = Unmanaged<Body>.fromOpaque($0!).takeRetainedValue()
      splitstream_name_thread(body.name)
      body.run()
      return nil
    }
}

struct LoopThreadHandle: Sendable {
  fileprivate let thread: pthread_t
  func join() { pthread_join(thread, nil) }
}
