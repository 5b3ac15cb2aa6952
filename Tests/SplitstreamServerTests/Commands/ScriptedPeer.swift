import Glibc
import Synchronization

@testable import SplitstreamServer

/// The other end of a protocol test: listens on a free port of the loopback and answers what a
/// closure says.
final class ScriptedPeer: Sendable {
  struct Received: Sendable {
    let head: String
    let body: [UInt8]
    /// `POST /v1/metrics`
    var line: String { head.split(separator: " ").prefix(2).joined(separator: " ") }
    /// The same connection has the same number.
    let connection: Int
  }

  /// Bytes to send; then the connection is closed or kept.
  struct Answer: Sendable {
    var bytes: [UInt8] = []
    var closes = false

    static let close = Answer(closes: true)

    static func raw(_ text: String, closes: Bool = false) -> Answer {
      Answer(bytes: Array(text.utf8), closes: closes)
    }

    static func json(_ status: Int, _ text: String, _ fields: String = "") -> Answer {
      raw("HTTP/1.1 \(status) X\r\nContent-Length: \(text.utf8.count)\r\n\(fields)\r\n\(text)")
    }
  }

  let port: UInt16
  private let descriptor: Int32
  private let received = Mutex<[Received]>([])
  private let answer: @Sendable (Received) -> Answer

  var requests: [Received] { received.withLock { $0 } }
  var address: ServerAddress {
    get throws { try ServerAddress(parsing: "http://127.0.0.1:\(port)") }
  }

  init(_ answer: @escaping @Sendable (Received) -> Answer) {
    self.answer = answer
    (descriptor, port) = Self.listen()
    let peer = self
    Self.thread { [descriptor] in
      var connections = 0
      while case let socket = accept(descriptor, nil, nil), socket >= 0 {
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        connections += 1
        let connection = connections
        Self.thread { peer.serve(socket, connection) }
      }
      close(descriptor)
    }
  }

  /// Answers each request in turn with the next of these, and closes after the last.
  convenience init(_ answers: [Answer]) {
    let next = Mutex(0)
    self.init { _ in
      let index = next.withLock { next in
        defer { next += 1 }
        return next
      }
      return index < answers.count ? answers[index] : .close
    }
  }

  /// Ends the listening; open connections end with their clients.
  func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  private func serve(_ socket: Int32, _ connection: Int) {
    defer { close(socket) }
    var bytes: [UInt8] = []
    while true {
      while let request = Self.takeRequest(from: &bytes, connection) {
        received.withLock { $0.append(request) }
        let answer = answer(request)
        _ = answer.bytes.withUnsafeBytes {
          send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if answer.closes { return }
      }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return }
      bytes += buffer.prefix(count)
    }
  }

  private static func takeRequest(from bytes: inout [UInt8], _ connection: Int) -> Received? {
    let blank = Array("\r\n\r\n".utf8)
    guard bytes.count >= blank.count,
      let end = (0...bytes.count - 4).first(where: { bytes[$0..<$0 + 4].elementsEqual(blank) })
    else { return nil }
    let head = String(decoding: bytes[..<end], as: UTF8.self)
    let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
      .flatMap { Int($0.dropFirst("Content-Length: ".count)) }
    let bodyEnd = end + 4 + (length ?? 0)
    guard bytes.count >= bodyEnd else { return nil }
    defer { bytes.removeFirst(bodyEnd) }
    return Received(head: head, body: Array(bytes[end + 4..<bodyEnd]), connection: connection)
  }

  private static func listen() -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(descriptor, $0, size) == 0, "no port on the loopback")
        getsockname(descriptor, $0, &size)
      }
    }
    precondition(Glibc.listen(descriptor, 16) == 0, "listen failed")
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// A thread of its own, which may block as long as it likes.
  private static func thread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer else { return nil }
        Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body()
        return nil
      }, Unmanaged.passRetained(Box(body)).toOpaque())
    pthread_detach(thread)
  }
}
