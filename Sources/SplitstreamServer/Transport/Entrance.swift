/// How connections come in through a server's listener.
struct Entrance: Sendable {
  /// Nil for plain HTTP.
  var tls: TLSIdentity?
  var proxies = TrustedProxies()
  /// Each connection of a trusted proxy begins with a PROXY header.
  var speaksProxyProtocol = false

  /// Nobody else's connection may begin with one: who connects would say who connects.
  func expectsProxyHeader(from address: IPAddress) -> Bool {
    speaksProxyProtocol && proxies.contains(address)
  }
}
