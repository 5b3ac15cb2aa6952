/// Writes answers as HTTP/1.1 into a connection's output, without Strings on the way. One per loop.
struct ResponseWriter {
  private var dateSecond = -1
  /// `Date: …` with its line end, for `dateSecond`.
  private var dateLine: [UInt8] = []
  /// Status line and date of the answer written last: most are of one status within a second.
  private var lead: [UInt8] = []
  private var leadStatus = 0
  /// `Content-Type: …` of the answer written last, and up to the number of `Content-Length: `.
  private var contentLead: [UInt8] = []
  private var contentType: String?

  /// What the answer says about the connection.
  enum Persistence: Sendable {
    case keepAlive
    /// RFC 9112 §9.3: an HTTP/1.0 client that asked for it must be told.
    case announcedKeepAlive
    case close
  }

  /// - Parameters:
  ///   - isHead: the request was HEAD: the same head goes out, without the body.
  ///   - unixSeconds: the wall clock's time, for Date.
  mutating func write(
    _ response: Response, isHead: Bool, _ persistence: Persistence, unixSeconds: Int,
    to output: inout [UInt8]
  ) {
    updateLead(response.status, unixSeconds)
    output.append(copying: lead)
    if response.constantFields.utf8CodeUnitCount > 0 { output.append(response.constantFields) }
    for header in response.headers { Self.writeField(header.name, header.value, to: &output) }
    // RFC 9110 §8.6 and §15.4.5: none in 204; in 304 it would be that of the 200.
    let mayHaveBody = response.status != 204 && response.status != 304
    if mayHaveBody {
      updateContentLead(response.contentType)
      output.append(copying: contentLead)
      output.append(decimal: response.body.count)
      output.append("\r\n")
    } else if let contentType = response.contentType {
      Self.writeField("Content-Type", contentType, to: &output)
    }
    switch persistence {
    case .keepAlive: output.append("\r\n")
    case .announcedKeepAlive: output.append("Connection: keep-alive\r\n\r\n")
    case .close: output.append("Connection: close\r\n\r\n")
    }
    if mayHaveBody && !isHead { output.append(copying: response.body) }
  }

  /// The interim answer that asks for the body, RFC 9110 §15.2.1.
  static func writeContinue(to output: inout [UInt8]) {
    output.append("HTTP/1.1 100 Continue\r\n\r\n")
  }

  private mutating func updateLead(_ status: Int, _ unixSeconds: Int) {
    if unixSeconds == dateSecond && status == leadStatus { return }
    if unixSeconds != dateSecond {
      dateSecond = unixSeconds
      dateLine.removeAll(keepingCapacity: true)
      dateLine.append("Date: ")
      dateLine.append(contentsOf: HTTPDate.bytes(unixSeconds: unixSeconds))
      dateLine.append("\r\n")
    }
    leadStatus = status
    lead.removeAll(keepingCapacity: true)
    Self.writeStatusLine(status, to: &lead)
    lead.append(contentsOf: dateLine)
  }

  private mutating func updateContentLead(_ contentType: String?) {
    if contentType == self.contentType && !contentLead.isEmpty { return }
    self.contentType = contentType
    contentLead.removeAll(keepingCapacity: true)
    if let contentType { Self.writeField("Content-Type", contentType, to: &contentLead) }
    contentLead.append("Content-Length: ")
  }

  private static func writeStatusLine(_ status: Int, to output: inout [UInt8]) {
    precondition(200...599 ~= status, "an answer's status is final")
    output.append("HTTP/1.1 ")
    output.append(decimal: status)
    output.append(reason(status))
  }

  /// Names are the program's own. A line end in a value would start a field that nobody meant:
  /// control characters become spaces.
  private static func writeField(_ name: String, _ value: String, to output: inout [UInt8]) {
    output.append(contentsOf: name.utf8)
    output.append(": ")
    let start = output.count
    output.append(contentsOf: value.utf8)
    if !output.isFieldContent(start..<output.count) {
      for index in start..<output.count where !ASCII.isFieldContent(output[index]) {
        output[index] = ASCII.space
      }
    }
    output.append("\r\n")
  }

  /// The reason phrase between its space and its line end. RFC 9112 §4: clients ignore it; it may
  /// be empty.
  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 200: " OK\r\n"
    case 201: " Created\r\n"
    case 202: " Accepted\r\n"
    case 204: " No Content\r\n"
    case 207: " Multi-Status\r\n"
    case 304: " Not Modified\r\n"
    case 308: " Permanent Redirect\r\n"
    case 400: " Bad Request\r\n"
    case 401: " Unauthorized\r\n"
    case 403: " Forbidden\r\n"
    case 404: " Not Found\r\n"
    case 405: " Method Not Allowed\r\n"
    case 408: " Request Timeout\r\n"
    case 409: " Conflict\r\n"
    case 412: " Precondition Failed\r\n"
    case 413: " Content Too Large\r\n"
    case 414: " URI Too Long\r\n"
    case 415: " Unsupported Media Type\r\n"
    case 417: " Expectation Failed\r\n"
    case 422: " Unprocessable Content\r\n"
    case 429: " Too Many Requests\r\n"
    case 431: " Request Header Fields Too Large\r\n"
    case 500: " Internal Server Error\r\n"
    case 501: " Not Implemented\r\n"
    case 503: " Service Unavailable\r\n"
    case 505: " HTTP Version Not Supported\r\n"
    default: " \r\n"
    }
  }
}
