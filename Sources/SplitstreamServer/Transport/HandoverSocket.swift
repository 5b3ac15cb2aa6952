import CEpoll
import Glibc

/// Where a successor of this process asks for its listening sockets. Loop-owned.
///
/// They are passed over a unix socket (SCM_RIGHTS of unix(7)), so that the queues in which clients
/// wait live on. Both processes accept from them until the successor says that it serves; one that
/// ends before has changed nothing.
final class HandoverSocket: Watcher {
  private let path: String
  private let fd: Int32
  private let identity: FileIdentity?
  private let listeners: [Listener]
  private let loop: EventLoop
  private let onRelease: () -> Void
  private var successors: [Int32: Successor] = [:]

  /// Binds the path, in the place of a predecessor's.
  ///
  /// - Parameter onRelease: called when the successor serves: this process may stop.
  init(
    path: String, listeners: [Listener], loop: EventLoop, onRelease: @escaping () -> Void
  ) throws(HandoverError) {
    self.path = path
    self.listeners = listeners
    self.loop = loop
    self.onRelease = onRelease
    let draft = path + ".new"
    unlink(draft)
    fd = try UnixSocket.make(draft) { fd, address, length in
      // Before `listen` nobody can connect, and afterwards only this user.
      Glibc.bind(fd, address, length) == 0 && chmod(draft, 0o600) == 0 && listen(fd, 8) == 0
    }
    guard rename(draft, path) == 0 else {
      let error = HandoverError("rename", path)
      Glibc.close(fd)
      throw error
    }
    identity = FileIdentity(path)
  }

  func start() throws(EventLoopError) {
    try loop.watch(fd, .read, self)
  }

  func ready(_ readiness: Readiness) {
    var address = sockaddr_storage()
    let connection = splitstream_accept(fd, &address)
    guard connection >= 0 else { return }
    let successor = Successor { [weak self] isServing in
      self?.forget(connection)
      if isServing { self?.onRelease() }
    }
    guard isOurs(connection), successor.send(listeners, over: connection),
      (try? loop.watch(connection, .read, successor)) != nil
    else {
      Glibc.close(connection)
      return
    }
    successor.fd = connection
    successors[connection] = successor
  }

  /// Offers nothing any more. The path goes unless a successor has made it its own.
  func close() {
    for connection in successors.keys { forget(connection) }
    loop.unwatch(fd)
    Glibc.close(fd)
    if identity != nil && identity == FileIdentity(path) { unlink(path) }
  }

  private func forget(_ connection: Int32) {
    guard successors.removeValue(forKey: connection) != nil else { return }
    loop.unwatch(connection)
    Glibc.close(connection)
  }

  /// The mode of the path keeps others out already; not every system looks at it.
  private func isOurs(_ connection: Int32) -> Bool {
    let user = splitstream_peer_user(connection)
    return user == geteuid() || user == 0
  }

  /// A process that has been given the sockets and has not said yet that it serves.
  private final class Successor: Watcher {
    var fd: Int32 = -1
    private let ended: (_ isServing: Bool) -> Void

    init(ended: @escaping (_ isServing: Bool) -> Void) {
      self.ended = ended
    }

    func send(_ listeners: [Listener], over fd: Int32) -> Bool {
      var rest = listeners.map(\.fd)[...]
      repeat {
        let part = Array(rest.prefix(Int(splitstream_descriptors_max)))
        rest = rest.dropFirst(part.count)
        let mark = CChar(rest.isEmpty ? HandoverMark.last : HandoverMark.more)
        guard splitstream_send_descriptors(fd, part, Int32(part.count), mark) == 0 else {
          return false
        }
      } while !rest.isEmpty
      return true
    }

    func ready(_ readiness: Readiness) {
      var mark: UInt8 = 0
      let count = recv(fd, &mark, 1, 0)
      if count < 0 && errno == EAGAIN { return }
      ended(count == 1 && mark == UInt8(HandoverMark.serving))
    }
  }

  /// Which file a path leads to.
  private struct FileIdentity: Equatable {
    let device: dev_t
    let inode: ino_t

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      device = status.st_dev
      inode = status.st_ino
    }
  }
}

/// The one byte of each message between predecessor and successor.
enum HandoverMark {
  static let more = 0x2b
  static let last = 0x2e
  static let serving = 0x21
}
