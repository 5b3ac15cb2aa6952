/// What answers requests: one per loop, used by its thread only.
protocol Application: AnyObject {
  /// The answer, when it can be given from memory. Nil: something must be awaited, ask `answer`.
  func answerNow(_ request: Request) -> Response?

  func answer(_ request: Request) async -> Response

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
