/// Why a request is refused before any rule of the product has seen it.
struct HTTPError: Error, Equatable, Sendable {
  let refusal: Refusal
  /// One sentence for the `detail` of the problem document.
  let detail: String
  /// Whether what follows on the connection can no longer be told apart from this request.
  let mustClose: Bool

  /// The kinds of refusal; the raw value is the status.
  enum Refusal: Int, Sendable, CaseIterable {
    case badRequest = 400
    case requestTimeout = 408
    case contentTooLarge = 413
    case uriTooLong = 414
    case expectationFailed = 417
    case headTooLarge = 431
    case notImplemented = 501
    case unavailable = 503
    case versionNotSupported = 505
  }

  var status: Int { refusal.rawValue }

  /// The last part of the problem's `type`.
  var kind: String {
    switch refusal {
    case .badRequest: "bad-request"
    case .requestTimeout: "request-timeout"
    case .contentTooLarge: "content-too-large"
    case .uriTooLong: "uri-too-long"
    case .expectationFailed: "expectation-failed"
    case .headTooLarge: "header-fields-too-large"
    case .notImplemented: "not-implemented"
    case .unavailable: "unavailable"
    case .versionNotSupported: "http-version-not-supported"
    }
  }

  /// The `title` of the problem document.
  var title: String {
    switch refusal {
    case .badRequest: "The request is not well-formed"
    case .requestTimeout: "The request took too long to arrive"
    case .contentTooLarge: "The request body is too large"
    case .uriTooLong: "The request target is too long"
    case .expectationFailed: "The expectation cannot be met"
    case .headTooLarge: "The header fields are too large"
    case .notImplemented: "Not implemented"
    case .unavailable: "Unavailable for now"
    case .versionNotSupported: "This version of HTTP is not supported"
    }
  }

  /// A fault in the framing: the connection ends with the answer.
  static func framing(_ refusal: Refusal, _ detail: String) -> HTTPError {
    HTTPError(refusal: refusal, detail: detail, mustClose: true)
  }

  /// A fault in what a well-framed request says: the connection can go on.
  static func content(_ refusal: Refusal, _ detail: String) -> HTTPError {
    HTTPError(refusal: refusal, detail: detail, mustClose: false)
  }
}
