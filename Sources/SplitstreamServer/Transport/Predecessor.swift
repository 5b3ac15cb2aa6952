import CEpoll
import Glibc

/// The process whose listening sockets this one takes over, seen from here.
///
/// It goes on serving until `release`, and for ever when we end before.
final class Predecessor {
  private let fd: Int32
  private var inherited: [Listener] = []

  /// Asks for the sockets. Nil: nobody listens at the path.
  ///
  /// - Throws: `HandoverError` when there is somebody who does not hand them over.
  init?(at path: String) throws(HandoverError) {
    do throws(HandoverError) {
      fd = try UnixSocket.make(path) { connect($0, $1, $2) == 0 }
    } catch {
      // What a predecessor that was killed has left behind, or nothing.
      if error.code == ECONNREFUSED || error.code == ENOENT { return nil }
      throw error
    }
    var wait = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    try receive(path)
  }

  deinit {
    for listener in inherited { listener.close() }
    close(fd)
  }

  /// Those of its sockets that listen at this address; port 0 is any.
  func take(host: String, port: Int) -> [Listener] {
    let taken = inherited.filter { $0.listens(at: host, port: port) }
    inherited.removeAll { listener in taken.contains { $0.fd == listener.fd } }
    return taken
  }

  /// Tells it to stop: this process serves.
  func release() {
    var mark = UInt8(HandoverMark.serving)
    send(fd, &mark, 1, Int32(MSG_NOSIGNAL))
  }

  private func receive(_ path: String) throws(HandoverError) {
    var isLast = false
    var received = [Int32](repeating: -1, count: Int(splitstream_descriptors_max))
    while !isLast {
      var mark: CChar = 0
      let count = splitstream_receive_descriptors(fd, &received, &mark)
      guard count >= 0 else { throw HandoverError("recvmsg", path) }
      isLast = mark != HandoverMark.more
      for fd in received[..<Int(count)] {
        if let listener = Listener(adopting: fd) { inherited.append(listener) } else { close(fd) }
      }
    }
  }
}

/// A unix socket that cannot be used to hand over listening sockets.
struct HandoverError: Error, Equatable, CustomStringConvertible {
  let call: String
  let path: String
  /// The `errno` of the call.
  let code: Int32

  init(_ call: String, _ path: String, code: Int32 = errno) {
    self.call = call
    self.path = path
    self.code = code
  }

  var description: String {
    "cannot hand over sockets through \(path): \(call): \(String(cString: strerror(code)))"
  }
}

/// Stream sockets at paths.
enum UnixSocket {
  /// - Parameter use: binds or connects; false leaves the reason in `errno`.
  static func make(
    _ path: String, _ use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
  ) throws(HandoverError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // unix(7): sun_path has room for 107 bytes and a NUL.
    guard !path.isEmpty, path.utf8.count <= 107, !path.utf8.contains(0) else {
      throw HandoverError("socket", path, code: ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let fd = socket(AF_UNIX, type, 0)
    guard fd >= 0 else { throw HandoverError("socket", path) }
    // Unsafe: the calls want any address as `sockaddr`, and read no more than its length.
    let isUsed = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        use(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard isUsed else {
      let error = HandoverError("connect or bind", path)
      Glibc.close(fd)
      throw error
    }
    return fd
  }
}
