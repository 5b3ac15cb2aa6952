/// Who sends a request, and whether by HTTPS: as far as it can be known.
struct RequestOrigin: Equatable, Sendable {
  var address: IPAddress
  var isSecure: Bool

  static let unknown = RequestOrigin(address: .none, isSecure: false)
}

/// The proxies whose word about their clients is taken.
struct TrustedProxies: Sendable {
  let networks: [IPNetwork]

  init(_ networks: [IPNetwork] = []) {
    self.networks = networks
  }

  func contains(_ address: IPAddress) -> Bool {
    networks.contains { $0.contains(address) }
  }

  /// Who sends the request, when it came from `origin`.
  ///
  /// `X-Forwarded-For` is read from its end: each proxy has added whom it saw, so the first address
  /// that is no proxy of ours is the client's; what stands before it anybody can write.
  func origin(of request: Request, from origin: RequestOrigin) -> RequestOrigin {
    guard !networks.isEmpty, contains(origin.address) else { return origin }
    var origin = origin
    let hops = request.headerValues("x-forwarded-for").flatMap { $0.split(separator: ASCII.comma) }
    for hop in hops.reversed() {
      guard let address = IPAddress(parsing: hop.trimmedBlanks) else { break }
      origin.address = address
      if !contains(address) { break }
    }
    // The last is what the nearest proxy says.
    if let last = request.headerValues("x-forwarded-proto").last {
      let scheme = last.split(separator: ASCII.comma).last?.trimmedBlanks ?? []
      origin.isSecure = scheme.map(ASCII.lowercased) == [UInt8]("https".utf8)
    }
    return origin
  }
}

extension ArraySlice<UInt8> {
  fileprivate var trimmedBlanks: ArraySlice<UInt8> {
    let start = firstIndex { !ASCII.isBlank($0) } ?? endIndex
    let end = self[start...].lastIndex { !ASCII.isBlank($0) } ?? start
    return start == endIndex ? self[start...] : self[start...end]
  }
}
