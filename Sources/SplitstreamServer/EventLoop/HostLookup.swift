import Dispatch
import Glibc

/// Finds the addresses of a host's name without holding up a loop: getaddrinfo(3) may take seconds.
enum HostLookup {
  /// Numeric addresses, IPv4 first; none when the name is unknown. Blocks.
  typealias Resolver = @Sendable (_ host: String) -> [String]

  /// So many of a name's addresses are tried at most.
  static let addressesMax = 8

  private static let queue = DispatchQueue(label: "host look-up", attributes: .concurrent)

  /// Looks `host` up on a Dispatch queue and calls `then` on the loop, never before this returns.
  static func addresses(
    of host: String, on loop: EventLoop, with resolver: @escaping Resolver = resolve,
    then: @escaping ([String]) -> Void
  ) {
    let then = LoopConfined(then, to: loop)
    queue.async {
      let addresses = resolver(host)
      loop.submit { then.value(addresses) }
    }
  }

  /// Whether there is anything to look up: a numeric address or a unix socket's path needs nothing.
  static func isName(_ host: String) -> Bool {
    // libpq: a path is absolute, or abstract with an @.
    guard let first = host.first, first != "/", first != "@" else { return false }
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST
    var found: UnsafeMutablePointer<addrinfo>?
    defer { if let found { freeaddrinfo(found) } }
    return getaddrinfo(host, nil, &hints, &found) != 0
  }

  @Sendable static func resolve(_ host: String) -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &found) == 0 else { return [] }
    defer { freeaddrinfo(found) }
    var four: [String] = []
    var six: [String] = []
    var next = found
    while let entry = next?.pointee {
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let code = getnameinfo(
        entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
      if code == 0 {
        let address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
        if entry.ai_family == AF_INET { four.append(address) } else { six.append(address) }
      }
      next = entry.ai_next
    }
    return Array((four + six).prefix(addressesMax))
  }
}
