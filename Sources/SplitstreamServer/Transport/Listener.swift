import CEpoll
import Glibc

/// A listening TCP socket. Whoever serves it closes it.
struct Listener: Sendable {
  /// Connections that wait to be accepted; the kernel caps it at net.core.somaxconn.
  static let queueMax = 4096

  let fd: Int32
  /// The port bound, also when the kernel chose it.
  let port: Int

  /// What one call of accept4(2) came to.
  enum Accepted: Equatable {
    case connection(Int32, from: IPAddress)
    /// Nobody waits.
    case none
    /// No descriptor or no memory is left; the queue stays as it is.
    case exhausted(code: Int32)
  }

  /// Binds `count` sockets to one address, between which the kernel spreads the connections
  /// (SO_REUSEPORT).
  ///
  /// - Parameters:
  ///   - host: a name or a numeric address, IPv4 or IPv6.
  ///   - port: 0 lets the kernel choose.
  ///   - inherited: sockets bound to this address already, a predecessor's; they are served before
  ///     others are bound beside them.
  static func bind(
    host: String, port: Int, count: Int = 1, inherited: [Listener] = []
  ) throws(ListenerError) -> [Listener] {
    if port != 0 && inherited.isEmpty {
      // Sharing a port with another process of this user would halve its clients in silence: be
      // alone first.
      try open(host, port, isShared: false).close()
    }
    var listeners = inherited
    do throws(ListenerError) {
      while listeners.count < count {
        listeners.append(try open(host, listeners.first?.port ?? port, isShared: true))
      }
    } catch {
      for listener in listeners { listener.close() }
      throw error
    }
    return listeners
  }

  /// A socket that another process has bound. Nil: it is none of TCP that listens.
  init?(adopting fd: Int32) {
    guard let port = Self.boundPort(fd) else { return nil }
    self.init(fd: fd, port: port)
  }

  private init(fd: Int32, port: Int) {
    self.fd = fd
    self.port = port
  }

  /// Whether it is bound to this address; port 0 is any.
  func listens(at host: String, port: Int) -> Bool {
    guard port == 0 || port == self.port, let bound = Self.boundAddress(fd) else { return false }
    return (try? Self.resolve(host, port) { Self.bytes(of: $0.ai_addr, $0.ai_addrlen) }) == bound
  }

  func accept() -> Accepted {
    // Bounded: each failure of this kind takes one connection off the queue.
    for _ in 0..<64 {
      var address = sockaddr_storage()
      let connection = splitstream_accept(fd, &address)
      if connection >= 0 { return .connection(connection, from: IPAddress(address)) }
      switch errno {
      case EAGAIN: return .none
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(code: errno)
      // accept(2): errors of the new connection itself, and interruptions.
      default: continue
      }
    }
    return .none
  }

  func close() {
    Glibc.close(fd)
  }

  private static func open(
    _ host: String, _ port: Int, isShared: Bool
  ) throws(ListenerError) -> Listener {
    try resolve(host, port) { (address) throws(ListenerError) in
      try open(address, at: "\(host):\(port)", isShared: isShared)
    }
  }

  private static func open(
    _ address: addrinfo, at name: String, isShared: Bool
  ) throws(ListenerError) -> Listener {
    func fail(_ call: String, _ reason: String) -> ListenerError {
      ListenerError(address: name, call: call, reason: reason)
    }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let fd = socket(address.ai_family, type, 0)
    guard fd >= 0 else { throw fail("socket", String(cString: strerror(errno))) }
    setOption(fd, SOL_SOCKET, SO_REUSEADDR)
    if isShared { setOption(fd, SOL_SOCKET, SO_REUSEPORT) }
    // Linux hands it on to the connections accepted, which saves a call for each.
    setOption(fd, Int32(IPPROTO_TCP), TCP_NODELAY)
    guard Glibc.bind(fd, address.ai_addr, address.ai_addrlen) == 0,
      listen(fd, Int32(queueMax)) == 0,
      let port = boundPort(fd)
    else {
      let reason = String(cString: strerror(errno))
      Glibc.close(fd)
      throw fail("bind", reason)
    }
    return Listener(fd: fd, port: port)
  }

  private static func setOption(_ fd: Int32, _ level: Int32, _ option: Int32) {
    var on: Int32 = 1
    setsockopt(fd, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Gives `use` the first address of a host.
  private static func resolve<Value>(
    _ host: String, _ port: Int, _ use: (addrinfo) throws(ListenerError) -> Value
  ) throws(ListenerError) -> Value {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &found)
    guard code == 0, let address = found?.pointee else {
      throw ListenerError(
        address: "\(host):\(port)", call: "getaddrinfo",
        reason: String(cString: gai_strerror(code)))
    }
    defer { freeaddrinfo(found) }
    return try use(address)
  }

  private static func boundPort(_ fd: Int32) -> Int? {
    withName(of: fd) { bytes in
      let family = bytes.load(as: sa_family_t.self)
      guard family == sa_family_t(AF_INET) || family == sa_family_t(AF_INET6) else { return nil }
      // Both families keep the port in the same place.
      return Int(UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self)))
    }
  }

  private static func boundAddress(_ fd: Int32) -> [UInt8]? {
    withName(of: fd) { bytes(of: $0) }
  }

  private static func bytes(of address: UnsafePointer<sockaddr>, _ length: socklen_t) -> [UInt8] {
    bytes(of: UnsafeRawBufferPointer(start: address, count: Int(length)))
  }

  /// The family and the address without its port: all that tells two of them apart.
  private static func bytes(of address: UnsafeRawBufferPointer) -> [UInt8] {
    let isSix = address.load(as: sa_family_t.self) == sa_family_t(AF_INET6)
    return Array(address[..<2]) + Array(address[isSix ? 8..<24 : 4..<8])
  }

  /// The address that a socket is bound to, as getsockname(2) gives it.
  private static func withName<Value>(
    of fd: Int32, _ use: (UnsafeRawBufferPointer) -> Value?
  ) -> Value? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // Unsafe: sockaddr_storage has room for an address of any family.
    return withUnsafeMutableBytes(of: &storage) { bytes -> Value? in
      guard let base = bytes.baseAddress,
        getsockname(fd, base.assumingMemoryBound(to: sockaddr.self), &length) == 0
      else { return nil }
      return use(UnsafeRawBufferPointer(bytes))
    }
  }
}

/// An address that cannot be listened on.
struct ListenerError: Error, Equatable {
  let address: String
  let call: String
  let reason: String
}

extension IPAddress {
  /// The address of a TCP peer, without its port.
  fileprivate init(_ storage: sockaddr_storage) {
    // Unsafe: sockaddr_storage holds the address of the family that it names.
    self = withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.ss_family) {
      case AF_INET:
        IPAddress(
          version4: UInt32(bigEndian: bytes.load(as: sockaddr_in.self).sin_addr.s_addr))
      case AF_INET6: IPAddress(bytes.load(as: sockaddr_in6.self).sin6_addr)
      default: .none
      }
    }
  }
}
