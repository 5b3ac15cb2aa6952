/// Why an import did not happen, or not wholly; each says so in one sentence.
enum ImportError: Error, Equatable {
  /// What was asked for is incomplete or contradicts itself.
  case options(String)
  case table(file: String, TableError)
  /// The file is readable, but not the record of an experiment.
  case data(file: String, reason: String)
  case client(ClientError)
  /// The server already has something of that name which this file does not fit.
  case mismatch(String)
  /// Everything was sent, but the server took only a part of it.
  case rejected(count: Int)
}

extension ImportError: CustomStringConvertible {
  var description: String {
    switch self {
    case .options(let reason), .mismatch(let reason): reason
    case .table(let file, .row(let line, let reason)): "\(file), line \(line): \(reason)"
    case .table(let file, let error): "\(file): \(error)"
    case .data(let file, let reason): "\(file): \(reason)"
    case .client(.refused(401, _)):
      "the server does not know this key (401): give a server key with --key or SPLITSTREAM_SERVER_KEY"
    case .client(.refused(403, _)):
      "this key may not do that (403): an import needs a server key, not a client key"
    case .client(let error): "\(error)"
    case .rejected(let count): "the server rejected \(counted(count, "row")), for the reasons above"
    }
  }
}
