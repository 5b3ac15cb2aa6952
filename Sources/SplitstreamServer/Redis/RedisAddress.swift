/// Where a Redis server is and how to log in, without TLS: hiredis 0.14 has none.
struct RedisAddress: Sendable, CustomStringConvertible {
  /// Where the server is; of one that Sentinels watch, where the first of these is.
  private(set) var endpoint: Endpoint
  /// They are asked where the server is, each time before it is connected to.
  let sentinels: RedisSentinels?
  let user: String?
  let password: String?
  let database: Int

  /// The two kinds of sockets.
  enum Endpoint: Sendable, Hashable, CustomStringConvertible {
    case tcp(host: String, port: Int32)
    case unix(path: String)

    var description: String {
      switch self {
      case .tcp(let host, let port): "\(host):\(port)"
      case .unix(let path): path
      }
    }
  }

  /// What stands in a URL behind the log-in.
  private typealias Target = (endpoint: Endpoint, database: Int, sentinels: RedisSentinels?)

  /// A server that needs no log-in.
  init(endpoint: Endpoint) {
    (self.endpoint, sentinels) = (endpoint, nil)
    (user, password, database) = (nil, nil, 0)
  }

  /// Takes `redis://[[user]:password@]host[:port][/database]`,
  /// `sentinel://[[user]:password@]host[:port][,host[:port]…]/name[/database]` and
  /// `unix://[[user]:password@]/path[?db=database]`. The log-in is the server's, never a Sentinel's.
  init(parsing url: String) throws(RedisError) {
    let scheme = url.prefix { $0 != ":" }
    var rest = url.dropFirst(scheme.count)
    guard rest.hasPrefix("://"), !url.utf8.contains(0) else { throw .invalidAddress }
    rest = rest.dropFirst(3)
    // A password may hold an @ only in its escaped form; a path may hold it as it is.
    let authority = rest.prefix { $0 != "/" }
    if let at = authority.lastIndex(of: "@") {
      let login = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      user = try login.first.flatMap { $0.isEmpty ? nil : $0 }.map(Self.unescaped)
      password = try login.dropFirst().first.map(Self.unescaped)
      rest = rest[rest.index(after: at)...]
    } else {
      (user, password) = (nil, nil)
    }
    // A user without a password would be a log-in that is silently left out.
    guard user == nil || password != nil else { throw .invalidAddress }
    switch scheme {
    case "redis": (endpoint, database, sentinels) = try Self.tcp(rest)
    case "sentinel": (endpoint, database, sentinels) = try Self.sentinel(rest)
    case "unix": (endpoint, database, sentinels) = try Self.unix(rest)
    default: throw .invalidAddress
    }
  }

  /// Where it leads, without user and password.
  var description: String {
    if let sentinels { return "\(sentinels)/\(database)" }
    switch endpoint {
    case .tcp: return "\(endpoint)/\(database)"
    case .unix: return "\(endpoint)?db=\(database)"
    }
  }

  /// The same log-in at another place: another node of a cluster.
  func moved(to endpoint: Endpoint) -> RedisAddress {
    var address = self
    address.endpoint = endpoint
    return address
  }

  /// What a new connection must say first; the PING is answered only when the server has loaded its
  /// data.
  var greeting: [[[UInt8]]] {
    var commands: [[[UInt8]]] = []
    if let password {
      commands.append(
        user.map { RedisCommand.words("AUTH", $0, password) }
          ?? RedisCommand.words("AUTH", password))
    }
    if database != 0 { commands.append(RedisCommand.words("SELECT", String(database))) }
    return commands + [RedisCommand.words("PING")]
  }

  private static func tcp(_ text: Substring) throws(RedisError) -> Target {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    return (try endpoint(parts[0], port: 6379), try database(parts.dropFirst().first), nil)
  }

  private static func sentinel(_ text: Substring) throws(RedisError) -> Target {
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    let hosts = parts[0].split(separator: ",", omittingEmptySubsequences: false)
    var endpoints: [Endpoint] = []
    for host in hosts { endpoints.append(try endpoint(host, port: 26379)) }
    guard parts.count > 1, !parts[1].isEmpty else { throw .invalidAddress }
    let sentinels = RedisSentinels(endpoints: endpoints, name: try unescaped(parts[1]))
    return (endpoints[0], try database(parts.dropFirst(2).first), sentinels)
  }

  /// `host[:port]`; without a port, the one given.
  private static func endpoint(
    _ text: Substring, port standard: Int32
  ) throws(RedisError) -> Endpoint {
    var host = text
    var port = standard
    // RFC 3986 §3.2.2: an IPv6 address stands in brackets, its colons are not the port's.
    if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
      guard let number = decimal(host[host.index(after: colon)...], upTo: 65535), number > 0 else {
        throw .invalidAddress
      }
      port = Int32(number)
      host = host[..<colon]
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { throw .invalidAddress }
    return .tcp(host: String(host), port: port)
  }

  /// The first when none is named.
  private static func database(_ text: Substring?) throws(RedisError) -> Int {
    guard let text, !text.isEmpty else { return 0 }
    guard let number = decimal(text, upTo: 65535) else { throw .invalidAddress }
    return number
  }

  private static func unix(_ text: Substring) throws(RedisError) -> Target {
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = try unescaped(parts[0])
    var database: Int? = 0
    if parts.count == 2 {
      guard parts[1].hasPrefix("db=") else { throw .invalidAddress }
      database = decimal(parts[1].dropFirst(3), upTo: 65535)
    }
    // unix(7): sun_path has room for 107 bytes and a NUL.
    guard path.hasPrefix("/"), path.utf8.count <= 107, let database else { throw .invalidAddress }
    return (.unix(path: path), database, nil)
  }

  /// ASCII digits only: `Int` would take a sign too.
  private static func decimal(_ text: Substring, upTo max: Int) -> Int? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
      number <= max
    else { return nil }
    return number
  }

  /// RFC 3986 §2.1.
  private static func unescaped(_ text: Substring) throws(RedisError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexadecimal),
        let low = rest.popFirst().flatMap(hexadecimal), high | low != 0
      else { throw .invalidAddress }
      bytes.append(high << 4 | low)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .invalidAddress }
    return decoded
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
