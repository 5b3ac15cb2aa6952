import Foundation
import Glibc

@testable import SplitstreamServer

/// Carries one connection's bytes to a server one at a time, each its own segment, and the answers
/// back as they come.
final class ByteRelay {
  let port: Int
  private let listener: Listener

  init(to serverPort: Int) throws {
    let listener = try Listener.bind(host: "127.0.0.1", port: 0)[0]
    self.listener = listener
    port = listener.port
    Thread.detachNewThread {
      var waiting = pollfd(fd: listener.fd, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 60_000) == 1, case .connection(let client, _) = listener.accept()
      else { return }
      _ = fcntl(client, F_SETFL, 0)
      let server = Self.connect(serverPort)
      Thread.detachNewThread { Self.copy(from: server, to: client, bytesMax: 65_536) }
      Self.copy(from: client, to: server, bytesMax: 1)
    }
  }

  deinit {
    listener.close()
  }

  private static func connect(_ port: Int) -> Int32 {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return fd
  }

  /// Until one side ends; then both have their end.
  private static func copy(from source: Int32, to sink: Int32, bytesMax: Int) {
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    while true {
      let count = recv(source, &bytes, bytesMax, 0)
      guard count > 0, send(sink, bytes, count, Int32(MSG_NOSIGNAL)) == count else { break }
    }
    shutdown(sink, Int32(SHUT_WR))
  }
}

extension TLSTesting {
  /// The first message of `openssl s_client`, as it came.
  static func clientHello(folder: TemporaryFolder) throws -> [UInt8] {
    let listener = try Listener.bind(host: "127.0.0.1", port: 0)[0]
    defer { listener.close() }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = ["s_client", "-connect", "127.0.0.1:\(listener.port)"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    var waiting = pollfd(fd: listener.fd, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, 60_000) == 1, case .connection(let fd, _) = listener.accept() else {
      throw TestClient.Failure.ended
    }
    defer { close(fd) }
    waiting.fd = fd
    poll(&waiting, 1, 60_000)
    var bytes = [UInt8](repeating: 0, count: 4_096)
    return Array(bytes[..<max(0, recv(fd, &bytes, bytes.count, 0))])
  }
}
