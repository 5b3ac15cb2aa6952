import Glibc

/// The bytes to and from one client: as the socket carries them, or through TLS.
struct ByteStream {
  let fd: Int32
  private(set) var tls: TLSSession?
  /// Whether the socket may hold more than the last call received.
  private var hasMoreInput = false
  /// The loop has told of the end behind the last bytes: it makes no edge of its own.
  private var isEndTold = false

  /// What one call came to.
  enum Outcome: Equatable {
    case bytes(Int)
    /// The peer will send no more.
    case end
    case blocked
    case failed
  }

  init(fd: Int32, tls: TLSSession? = nil) {
    self.fd = fd
    self.tls = tls
  }

  /// Whether there may be bytes to receive that the loop does not tell of: TLS has taken them from
  /// the socket, or an edge-triggered loop has told of them already.
  var hasUntoldInput: Bool { tls?.hasBufferedInput ?? hasMoreInput }

  /// Receives what there is, at most as much as there is room for.
  mutating func receive(into room: UnsafeMutableRawBufferPointer) -> Outcome {
    if let tls { return tls.receive(into: room) }
    let count = recv(fd, room.baseAddress, room.count, 0)
    // What comes after a call that found less than it could take is news to the loop.
    hasMoreInput = count == room.count || isEndTold && count > 0
    return Self.outcome(ofReceiving: count)
  }

  /// Sends once, as much as the kernel has room for.
  func send(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    if let tls { return tls.send(bytes) }
    // MSG_NOSIGNAL: a dead peer is an error, not the end of the process.
    let count = Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    return count >= 0 ? .bytes(count) : Self.failure(errno)
  }

  /// Throws away what the client still sends; MSG_TRUNC spares the copy (tcp(7)).
  func discard() -> Outcome {
    Self.outcome(ofReceiving: recv(fd, nil, 1 << 20, Int32(MSG_TRUNC)))
  }

  /// Says that nothing more will come. `blocked`: not said yet.
  func endOutput() -> Outcome {
    if let tls, tls.notifyClose() == .blocked { return .blocked }
    shutdown(fd, Int32(SHUT_WR))
    return .end
  }

  func close() {
    // Best effort: who closes at once waits for nobody.
    _ = tls?.notifyClose()
    Glibc.close(fd)
  }

  /// Goes on without TLS: for a client that has not begun to speak it.
  mutating func abandonTLS() {
    tls = nil
  }

  // MARK: What the loop is asked and what it tells

  /// TLS may have to write before it can read on, or read before it can write on: what the loop
  /// must wait for to go on with `interest`.
  ///
  /// - Parameter isDrained: whether everything that the loop tells of is received at once, and
  ///   `hasUntoldInput` looked at afterwards.
  func socketInterest(for interest: Readiness, isDrained: Bool) -> Readiness {
    guard let tls else { return isDrained ? interest.union([.edge, .peerClosed]) : interest }
    var result: Readiness = []
    if interest.contains(.read) { result.insert(tls.readWaitsFor) }
    if interest.contains(.write) { result.insert(tls.writeWaitsFor) }
    return result
  }

  /// What can go on, now that the loop has told of `readiness`.
  mutating func readiness(of readiness: Readiness) -> Readiness {
    guard let tls else {
      if readiness.contains(.peerClosed) { isEndTold = true }
      return readiness
    }
    var result = readiness.subtracting([.read, .write])
    if readiness.contains(tls.readWaitsFor) { result.insert(.read) }
    if readiness.contains(tls.writeWaitsFor) { result.insert(.write) }
    return result
  }

  private static func outcome(ofReceiving count: Int) -> Outcome {
    count > 0 ? .bytes(count) : count == 0 ? .end : failure(errno)
  }

  private static func failure(_ code: Int32) -> Outcome {
    code == EAGAIN || code == EINTR ? .blocked : .failed
  }
}
