import CPostgres
import Glibc

/// Where a PostgreSQL server is and how to log in: a libpq connection URL, checked once.
struct PostgresAddress: Sendable, CustomStringConvertible {
  /// libpq's, by their keywords.
  let parameters: [String: String]

  /// Takes what libpq takes: `postgres://user:password@host:port/database?option=value`, or its
  /// keyword form.
  init(parsing url: String) throws(PostgresError) {
    // libpq's own message is dropped: it quotes the URL, and with it the password.
    var message: UnsafeMutablePointer<CChar>?
    let options = PQconninfoParse(url, &message)
    PQfreemem(message)
    guard let options else { throw .invalidAddress }
    defer { PQconninfoFree(options) }
    var parameters: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        parameters[String(cString: keyword)] = String(cString: value)
      }
      option += 1
    }
    self.parameters = parameters
  }

  /// Where it leads, without user and password.
  var description: String {
    let host = parameters["hostaddr"] ?? parameters["host"] ?? "local"
    return "\(host):\(parameters["port"] ?? "5432")/\(parameters["dbname"] ?? "")"
  }

  /// The names that libpq would look up itself, and wait for.
  var hostNames: [String] {
    parameters["hostaddr"] == nil ? hosts.filter(HostLookup.isName) : []
  }

  private var hosts: [String] { Self.list(parameters["host"]) }

  /// The same with the addresses of its names beside them (`hostaddr`), one entry for each.
  ///
  /// - Returns: nil when no host is left: none of the names has an address.
  func resolved(_ addresses: [String: [String]]) -> PostgresAddress? {
    if addresses.isEmpty { return self }
    let ports = Self.list(parameters["port"])
    var entries: [(host: String, address: String, port: String)] = []
    for (index, host) in hosts.enumerated() {
      let port = ports.count == hosts.count ? ports[index] : ports.first ?? ""
      // An empty address leaves a host as it is: numeric, or the folder of a unix socket.
      for address in addresses[host] ?? [""] { entries.append((host, address, port)) }
    }
    if entries.isEmpty { return nil }
    var resolved = parameters
    resolved["host"] = entries.map(\.host).joined(separator: ",")
    resolved["hostaddr"] = entries.map(\.address).joined(separator: ",")
    if !ports.isEmpty { resolved["port"] = entries.map(\.port).joined(separator: ",") }
    return PostgresAddress(parameters: resolved)
  }

  /// libpq's lists: separated by commas, entries may be empty.
  private static func list(_ text: String?) -> [String] {
    text.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
  }

  private init(parameters: [String: String]) {
    self.parameters = parameters
  }

  /// Begins to connect without waiting; nil when there is no memory for it.
  ///
  /// `statementSeconds` is the server's own limit, so that no statement outlives the interest in
  /// its answer.
  func startConnecting(applicationName: String, statementSeconds: Double) -> OpaquePointer? {
    let milliseconds = String(max(1, Int(statementSeconds * 1000)))
    var all = parameters
    all["application_name"] = applicationName
    all["client_encoding"] = "UTF8"
    all["tcp_user_timeout"] = all["tcp_user_timeout"] ?? milliseconds
    all["options"] =
      (all["options"].map { $0 + " " } ?? "")
      + "-c TimeZone=UTC -c statement_timeout=\(milliseconds)"
    let pairs = all.map { (strdup($0.key), strdup($0.value)) }
    defer {
      for pair in pairs {
        free(pair.0)
        free(pair.1)
      }
    }
    let keywords = pairs.map { UnsafePointer($0.0) } + [nil]
    let values = pairs.map { UnsafePointer($0.1) } + [nil]
    let connection = PQconnectStartParams(keywords, values, 0)
    // libpq would print the server's notices on stderr, between the lines of the log.
    if let connection { PQsetNoticeProcessor(connection, { _, _ in }, nil) }
    return connection
  }
}
