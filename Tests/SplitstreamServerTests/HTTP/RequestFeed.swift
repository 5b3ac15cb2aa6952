@testable import SplitstreamServer

/// Feeds a parser as a connection does: in pieces, dropping what is consumed, until the first
/// refusal.
struct RequestFeed {
  private var parser: RequestParser
  private var bytes: [UInt8] = []
  private var start = 0
  private let bodyBytesMax: Int
  private(set) var requests: [Request] = []
  /// What came of the bytes so far, one line each.
  private(set) var outcomes: [String] = []
  private(set) var error: HTTPError?
  private(set) var continues = 0

  init(limits: RequestLimits = RequestLimits(), bodyBytesMax: Int = 1 << 20) {
    parser = RequestParser(limits: limits)
    self.bodyBytesMax = bodyBytesMax
  }

  mutating func feed(_ piece: ArraySlice<UInt8>) {
    bytes += piece
    do throws(HTTPError) {
      while error == nil {
        let bodyBytesMax = bodyBytesMax
        let request = try parser.next(in: bytes, start..<bytes.count) { _ in bodyBytesMax }
        start += parser.consumed
        if parser.takeContinue() { continues += 1 }
        guard let request else { return }
        requests.append(request)
        outcomes.append(Self.describe(request) + (parser.keepsAlive ? "" : " last"))
      }
    } catch {
      self.error = error
      outcomes.append("\(error.status)\(error.mustClose ? "" : " open")")
    }
  }

  /// The outcomes of `bytes` in one piece.
  static func whole(
    _ bytes: [UInt8], limits: RequestLimits = RequestLimits(), bodyBytesMax: Int = 1 << 20
  ) -> RequestFeed {
    var feed = RequestFeed(limits: limits, bodyBytesMax: bodyBytesMax)
    feed.feed(bytes[...])
    return feed
  }

  /// The outcomes of `bytes` cut before each of the given positions.
  static func cut(
    _ bytes: [UInt8], at positions: [Int], limits: RequestLimits = RequestLimits(),
    bodyBytesMax: Int = 1 << 20
  ) -> RequestFeed {
    var feed = RequestFeed(limits: limits, bodyBytesMax: bodyBytesMax)
    var start = 0
    for position in positions + [bytes.count] {
      feed.feed(bytes[start..<position])
      start = position
    }
    return feed
  }

  private static func describe(_ request: Request) -> String {
    var text = "\(request.method.name) \(String(decoding: request.rawPath, as: UTF8.self))"
    if !request.rawQuery.isEmpty {
      text += " ?" + String(decoding: request.rawQuery, as: UTF8.self)
    }
    if request.minorVersion == 0 { text += " 1.0" }
    if let mark = request.headerText("x-mark") { text += " x-mark=\(mark)" }
    if request.hasBody { text += " body=" + String(decoding: request.body, as: UTF8.self) }
    return text
  }
}

extension Request {
  /// The one request that `text` is.
  init(parsing text: String) throws {
    let feed = RequestFeed.whole([UInt8](text.utf8))
    if let error = feed.error { throw error }
    guard feed.requests.count == 1 else { throw NotOneRequest() }
    self = feed.requests[0]
  }

  struct NotOneRequest: Error {}
}
