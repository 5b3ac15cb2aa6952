import Glibc

/// A TCP client that sends exactly the bytes it is told, and waits so long at most for each answer.
final class TestClient {
  private let fd: Int32
  private var companion: AnyObject?
  private var received: [UInt8] = []

  /// One answer as it came.
  struct Answer {
    let head: String
    let body: [UInt8]
    var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  enum Failure: Error {
    case connect(Int32)
    case send(Int32)
    case receive(Int32)
    case ended
    case malformed(String)
  }

  init(port: Int, waitSeconds: Int = 60) throws {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    setWaits(waitSeconds)
    var on: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw Failure.connect(errno) }
  }

  /// - Parameters:
  ///   - fd: a connected socket, which becomes the client's own.
  ///   - companion: what the connection needs for as long as it lives.
  init(fd: Int32, keeping companion: AnyObject) {
    self.fd = fd
    self.companion = companion
    setWaits(60)
  }

  deinit { Glibc.close(fd) }

  func send(_ text: String) throws { try send([UInt8](text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure.send(errno) }
      sent += count
    }
  }

  /// `GET` on this connection, and its answer.
  func get(_ target: String) throws -> Answer {
    try send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
    return try answer()
  }

  /// The next answer, interim ones too.
  func answer(isHead: Bool = false) throws -> Answer {
    let end = [UInt8]("\r\n\r\n".utf8)
    var headEnd = received.firstRange(of: end)
    while headEnd == nil {
      guard try receive() else { throw Failure.ended }
      headEnd = received.firstRange(of: end)
    }
    let head = String(decoding: received[..<headEnd!.upperBound], as: UTF8.self)
    var length = 0
    if let field = head.firstRange(of: "Content-Length: ") {
      guard let number = Int(head[field.upperBound...].prefix { $0.isNumber }) else {
        throw Failure.malformed(head)
      }
      length = isHead ? 0 : number
    }
    let bodyStart = headEnd!.upperBound
    while received.count < bodyStart + length {
      guard try receive() else { throw Failure.ended }
    }
    let body = Array(received[bodyStart..<bodyStart + length])
    received.removeSubrange(..<(bodyStart + length))
    return Answer(head: head, body: body)
  }

  /// Whether the server ends the connection, in order, without sending anything more.
  func ends() throws -> Bool {
    try received.isEmpty && !receive()
  }

  func shutdownWrite() { shutdown(fd, Int32(SHUT_WR)) }

  /// Ends the connection with a reset.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    // The descriptor stays ours until `deinit`; connecting it to nothing sends the reset.
    var nothing = sockaddr()
    nothing.sa_family = sa_family_t(AF_UNSPEC)
    connect(fd, &nothing, socklen_t(MemoryLayout<sockaddr>.size))
  }

  /// A small window, so that the server soon has to wait for us.
  func shrinkReceiveBuffer() {
    var size: Int32 = 64 << 10
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  private func setWaits(_ seconds: Int) {
    var wait = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
  }

  private func receive() throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    let count = buffer.withUnsafeMutableBytes { recv(fd, $0.baseAddress, $0.count, 0) }
    guard count >= 0 else { throw Failure.receive(errno) }
    received += buffer[..<count]
    return count > 0
  }
}
