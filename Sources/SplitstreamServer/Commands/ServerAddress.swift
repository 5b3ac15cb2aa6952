/// Where a server's HTTP API is: `http://host[:port][/prefix]`.
struct ServerAddress: Equatable, Sendable {
  let host: String
  let port: UInt16
  /// Put before every path; empty or `/…` without a slash at the end.
  let prefix: String

  static let portDefault: UInt16 = 80

  init(parsing url: String) throws(ClientError) {
    guard !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
      throw .address(url: url, reason: "has a blank or a control character in it")
    }
    if url.lowercased().hasPrefix("https://") {
      throw .address(url: url, reason: "is https, which this command does not speak yet; use http")
    }
    guard url.lowercased().hasPrefix("http://") else {
      throw .address(url: url, reason: "does not begin with http://")
    }
    let rest = url.dropFirst("http://".count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let path = rest.dropFirst(authority.count)
    guard !path.contains("?"), !path.contains("#"), !authority.contains("@") else {
      throw .address(url: url, reason: "has a user, query or fragment, which has no meaning here")
    }
    guard let (host, port) = Self.split(authority), !host.isEmpty else {
      throw .address(url: url, reason: "has no valid host and port")
    }
    self.host = host
    self.port = port
    prefix = path.hasSuffix("/") ? String(path.dropLast()) : String(path)
  }

  /// The value of the Host field (RFC 9112 §3.2): an IPv6 address stands in brackets, the default
  /// port is left out.
  var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == Self.portDefault ? name : "\(name):\(port)"
  }

  var url: String { "http://\(authority)\(prefix)" }

  private static func split(_ authority: Substring) -> (host: String, port: UInt16)? {
    var host = authority
    var port = Substring()
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
      port = rest.dropFirst()
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
    }
    if port.isEmpty { return (String(host), portDefault) }
    // `UInt16("+80")` is 80.
    guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port),
      number > 0
    else { return nil }
    return (String(host), number)
  }
}
