/// Carries a loop-owned value through a `@Sendable` closure that runs on the loop again.
///
/// `@unchecked Sendable`: the value is read on its loop's thread only, which `value` checks.
struct LoopConfined<Value>: @unchecked Sendable {
  private let confined: Value
  private let loop: EventLoop

  init(_ value: Value, to loop: EventLoop) {
    confined = value
    self.loop = loop
  }

  var value: Value {
    precondition(loop.isOnLoop, "a loop's value was opened on another thread")
    return confined
  }
}
