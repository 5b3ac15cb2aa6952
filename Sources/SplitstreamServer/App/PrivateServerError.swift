/// Why `dev` could not bring up its own PostgreSQL and Redis. Its description is what the user
/// reads.
enum PrivateServerError: Error, Equatable, CustomStringConvertible {
  /// A program or user that a Debian package brings.
  case missing(String, package: String)
  case inUse(folder: String, pid: String)
  /// No other place would be private to us.
  case notOurs(folder: String)
  case cannotTraverse(folder: String, user: String)
  case ended(String, ChildProcess.Ending, log: String, lines: [String])
  case notReady(String, seconds: Int, log: String, lines: [String])
  case cannotStopLeftover(String, pid: Int32)
  case newerData(folder: String, version: String)

  var description: String {
    switch self {
    case .missing(let what, let package):
      "\(what) is missing; install Debian's package \(package): apt-get install \(package)"
    case .inUse(let folder, let pid):
      "process \(pid) is already serving the data in \(folder); stop it, or give another folder with --data"
    case .notOurs(let folder): "\(folder) belongs to somebody else; remove it"
    case .cannotTraverse(let folder, let user):
      "the user \(user), who runs PostgreSQL, may not enter \(folder); give another folder with --data"
    case .ended(let name, let ending, let log, let lines):
      "\(name) \(ending); the end of \(log):" + Self.quoted(lines)
    case .notReady(let name, let seconds, let log, let lines):
      "\(name) was not ready after \(seconds) s; the end of \(log):" + Self.quoted(lines)
    case .cannotStopLeftover(let name, let pid):
      "a \(name) left by an earlier run, process \(pid), does not end; end it with: kill -9 \(pid)"
    case .newerData(let folder, let version):
      "\(folder) was made by PostgreSQL \(version), which is not installed: apt-get install postgresql-\(version)"
    }
  }

  /// The end of a log, for an error that quotes it.
  static func lastLines(of log: String, from offset: Int = 0) -> [String] {
    guard let bytes = try? Files.readBytes(log) else { return [] }
    let text = String(decoding: bytes.dropFirst(offset), as: UTF8.self)
    return text.split(separator: "\n").suffix(12).map(String.init)
  }

  private static func quoted(_ lines: [String]) -> String {
    lines.isEmpty ? " (it is empty)" : lines.map { "\n    \($0)" }.joined()
  }
}
