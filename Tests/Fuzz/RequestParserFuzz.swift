/// What is read of a connection's bytes does not depend on how the network cuts them.
@c(LLVMFuzzerTestOneInput)
public func fuzzRequestParser(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let once = fuzzInput(data, size)
  // Twice: a head that comes again is not read again.
  check(once)
  check(once + once)
  return 0
}

private func check(_ bytes: [UInt8]) {
  var whole = Feed()
  whole.feed(bytes[...])
  for position in fuzzCuts(of: bytes) {
    var cut = Feed()
    cut.feed(bytes[..<position])
    cut.feed(bytes[position...])
    precondition(cut.outcomes == whole.outcomes, "cut at \(position): \(cut) \(whole)")
  }
  var single = Feed()
  for position in bytes.indices { single.feed(bytes[position...position]) }
  precondition(single.outcomes == whole.outcomes, "byte by byte: \(single) \(whole)")
}

/// A connection's bytes on their way through a parser, and what came of them.
private struct Feed {
  private(set) var outcomes: [Outcome] = []
  /// So small that inputs of a few hundred bytes cross every limit.
  private var parser = RequestParser(
    limits: RequestLimits(requestLineBytesMax: 64, headBytesMax: 192, fieldCountMax: 4))
  private var bytes: [UInt8] = []
  private var start = 0
  private var isRefused = false

  enum Outcome: Equatable {
    case request(RequestImage, keepsAlive: Bool)
    case refused(HTTPError)
  }

  mutating func feed(_ piece: ArraySlice<UInt8>) {
    bytes += piece
    do throws(HTTPError) {
      while !isRefused {
        let request = try parser.next(in: bytes, start..<bytes.count) { _ in 48 }
        precondition(parser.consumed <= bytes.count - start, "consumed what has not arrived")
        start += parser.consumed
        _ = parser.takeContinue()
        guard let request else { return }
        outcomes.append(.request(RequestImage(request), keepsAlive: parser.keepsAlive))
      }
    } catch {
      isRefused = true
      outcomes.append(.refused(error))
    }
  }
}

/// All that a handler can ask of a request.
private struct RequestImage: Equatable {
  let method: HTTPMethod
  let minorVersion: Int
  let path, query, host, body: [UInt8]
  let items: [[String]]?

  init(_ request: Request) {
    method = request.method
    minorVersion = request.minorVersion
    path = [UInt8](request.rawPath)
    query = [UInt8](request.rawQuery)
    host = [UInt8](request.header("host") ?? [])
    body = [UInt8](request.body)
    items = try? request.queryItems().map { [$0.name, $0.value] }
    precondition(body.count <= 48, "a body beyond its limit")
    _ = Self.router.match(method, request.rawPath)
  }

  private static let router = Router([
    (.get, "/a", 1), (.post, "/a/{id}", 2), (.get, "/a/{id}/b", 3), (.delete, "/a/c", 4),
  ])
}
