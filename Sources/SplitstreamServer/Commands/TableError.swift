/// Why a table cannot be read from a file.
enum TableError: Error, Equatable {
  /// The file cannot be opened or read; the reason is the system's.
  case file(reason: String)
  /// The compressed data are damaged or end too soon.
  case gzip(reason: String)
  /// The text is not CSV, or a cell is not what its column must hold. Lines count from 1, the
  /// header's.
  case row(line: Int, reason: String)
}

extension TableError: CustomStringConvertible {
  var description: String {
    switch self {
    case .file(let reason), .gzip(let reason): reason
    case .row(let line, let reason): "line \(line): \(reason)"
    }
  }
}
