/// Why Redis did not do what it was asked for.
enum RedisError: Error, Equatable, Sendable {
  /// The URL cannot be used. Its text is left out: it may hold a password.
  case invalidAddress
  /// Nothing was sent: there is no connection, or too much waits for its answer already.
  case unavailable(String)
  /// No answer in time. Outcome unknown: what was sent may have been done.
  case timeout
  /// The connection ended before the answer. Outcome unknown: what was sent may have been done.
  case lost(String)
  /// The server refused, with its words: "OOM …", "READONLY …". A script that fails half-way keeps
  /// what it did before.
  case server(String)

  /// Whether what was asked for may have been done although an error was thrown.
  var isOutcomeUnknown: Bool {
    switch self {
    case .timeout, .lost: true
    case .invalidAddress, .unavailable, .server: false
    }
  }

  /// The server has become a replica: another one takes what is written.
  var isReadOnly: Bool {
    if case .server(let message) = self { message.hasPrefix("READONLY") } else { false }
  }

  /// The server has forgotten the script, by a restart or SCRIPT FLUSH, and did nothing.
  var isNoScript: Bool {
    if case .server(let message) = self { message.hasPrefix("NOSCRIPT") } else { false }
  }
}
