/// The `/v1` API of a running server as a command calls it: JSON out, JSON in, refusals as errors.
struct ServerAPI {
  /// Pages of a list; 1,000 of 200 entries are more than any workspace holds.
  static let pagesMax = 1000

  let client: HTTPClient

  func get(_ target: String) throws(ClientError) -> JSONValue {
    try json(client.send(ClientRequest(method: .get, target: target)))
  }

  func post(_ target: String, _ body: [UInt8]? = nil) throws(ClientError) -> JSONValue {
    try json(client.send(ClientRequest(method: .post, target: target, body: body ?? [])))
  }

  /// The first entry of a list that matches, page after page.
  ///
  /// - Parameter query: more query items, each beginning with `&`.
  func first(
    in path: String, query: String = "", where matches: (JSONValue) -> Bool
  ) throws(ClientError) -> JSONValue? {
    var cursor = ""
    for _ in 0..<Self.pagesMax {
      let page = try get("\(path)?limit=200\(query)\(cursor)")
      if let found = page["data"]?.elements.first(where: matches) { return found }
      guard let next = page["next_cursor"]?.string else { return nil }
      cursor = "&cursor=" + Self.percentEncoded(next)
    }
    throw .malformed(reason: "the list \(path) does not end")
  }

  func all(in path: String) throws(ClientError) -> [JSONValue] {
    var entries: [JSONValue] = []
    _ = try first(in: path) {
      entries.append($0)
      return false
    }
    return entries
  }

  /// Everything but the unreserved characters (RFC 3986 §2.3) as %XX.
  static func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let hex = String(byte, radix: 16, uppercase: true)
        encoded += hex.count == 1 ? "%0\(hex)" : "%\(hex)"
      }
    }
    return encoded
  }

  private func json(_ reply: ServerReply) throws(ClientError) -> JSONValue {
    guard (200...299).contains(reply.status) else {
      throw .refused(status: reply.status, detail: Self.detail(of: reply))
    }
    do {
      return try JSONValue(parsing: reply.body)
    } catch {
      throw .malformed(reason: "not JSON: \(error)")
    }
  }

  /// What a problem document (RFC 9457) says, with every wrong field of a 422.
  private static func detail(of reply: ServerReply) -> String {
    guard let problem = try? JSONValue(parsing: reply.body) else { return "without a reason" }
    let detail = problem["detail"]?.string ?? problem["title"]?.string ?? "without a reason"
    let fields = problem["errors"]?.elements.map { field in
      "\(field["pointer"]?.string ?? "") \(field["detail"]?.string ?? "")"
    }
    guard let fields, !fields.isEmpty else { return detail }
    return "\(detail) (\(fields.joined(separator: "; ")))"
  }
}
