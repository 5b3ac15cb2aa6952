import Glibc

/// A TCP connection that blocks its caller, but never beyond a deadline.
///
/// The descriptor itself is non-blocking: waiting is done by `poll`, with what is left of the time.
final class ClientSocket {
  static let receiveBytes = 64 * 1024

  private let descriptor: Int32

  /// Tries every address of the host in turn.
  ///
  /// - Parameter deadline: a moment of `Monotonic.now()`.
  init(to address: ServerAddress, deadline: Double) throws(ClientError) {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(address.host, String(address.port), &hints, &list)
    defer { if list != nil { freeaddrinfo(list) } }
    guard code == 0 else {
      throw .unreachable(url: address.url, reason: String(cString: gai_strerror(code)))
    }
    var reason = "no address"
    var next = list
    while let candidate = next?.pointee {
      switch Self.connect(to: candidate, deadline: deadline) {
      case .success(let descriptor):
        self.descriptor = descriptor
        return
      case .failure(let failure):
        reason = failure.code == ETIMEDOUT ? "time-out" : systemReason(failure.code).lowercased()
      }
      next = candidate.ai_next
    }
    throw .unreachable(url: address.url, reason: reason)
  }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8], deadline: Double) throws(ClientError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.send(
          descriptor, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        sent += count
      } else {
        try waitOrThrow(for: POLLOUT, after: errno, deadline: deadline)
      }
    }
  }

  /// At least one byte; empty when the peer has closed its side.
  func receive(deadline: Double) throws(ClientError) -> [UInt8] {
    while true {
      var code: Int32 = 0
      var received = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: Self.receiveBytes) { buffer, count in
        received = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        code = errno
        count = max(0, received)
      }
      if received >= 0 { return bytes }
      try waitOrThrow(for: POLLIN, after: code, deadline: deadline)
    }
  }

  // MARK: Details

  private struct SystemError: Error { let code: Int32 }

  private static func connect(
    to candidate: addrinfo, deadline: Double
  ) -> Result<Int32, SystemError> {
    let type = candidate.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(candidate.ai_family, type, candidate.ai_protocol)
    guard descriptor >= 0 else { return .failure(SystemError(code: errno)) }
    var code: Int32 = 0
    if Glibc.connect(descriptor, candidate.ai_addr, candidate.ai_addrlen) != 0 {
      code = errno
      if code == EINPROGRESS || code == EINTR {
        code =
          wait(for: POLLOUT, on: descriptor, deadline: deadline)
          ? option(SO_ERROR, of: descriptor) : ETIMEDOUT
      }
    }
    guard code == 0 else {
      close(descriptor)
      return .failure(SystemError(code: code))
    }
    // A request is written in one piece and its answer awaited: nothing is gained by waiting for
    // more.
    var on: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    return .success(descriptor)
  }

  private static func option(_ name: Int32, of descriptor: Int32) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : errno
  }

  /// False when the deadline has passed.
  private static func wait(for event: Int32, on descriptor: Int32, deadline: Double) -> Bool {
    while true {
      let seconds = deadline - Monotonic.now()
      guard seconds > 0 else { return false }
      var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      // Rounded up, so that the last millisecond is not spent spinning; a day is as good as for
      // ever.
      let milliseconds = Int32(min(seconds, 86_400) * 1000) + 1
      if poll(&entry, 1, milliseconds) > 0 { return true }
    }
  }

  private func waitOrThrow(
    for event: Int32, after code: Int32, deadline: Double
  ) throws(ClientError) {
    if code == EINTR { return }
    guard code == EAGAIN else { throw .interrupted(reason: systemReason(code).lowercased()) }
    guard Self.wait(for: event, on: descriptor, deadline: deadline) else {
      throw .interrupted(reason: "time-out")
    }
  }
}
