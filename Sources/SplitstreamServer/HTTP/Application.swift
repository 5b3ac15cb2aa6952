/// What answers requests: one per loop, used by its thread only.
protocol Application: AnyObject {
  func answer(_ request: Request) -> Answer<Response, Never>

  /// The answer to a request that is refused before the application sees it.
  func problem(for error: HTTPError) -> Response

  /// How large the body of this request may be. Asked when its head is complete and its body is not
  /// read yet.
  func bodyBytesMax(for head: Request) -> Int
}

extension Application {
  /// 1 MiB, whatever the path.
  func bodyBytesMax(for head: Request) -> Int { 1 << 20 }
}

/// An answer, or how to get it. Most need not be waited for, and cost neither a Task nor a closure.
enum Answer<Value, Failure: Error> {
  case now(Value)
  /// To be begun by this call; what it is given is called with the outcome, once, on the same loop.
  case later((@escaping (Result<Value, Failure>) -> Void) -> Void)
  /// To be run in a Task on the same loop.
  case awaited(() async -> Result<Value, Failure>)
}
