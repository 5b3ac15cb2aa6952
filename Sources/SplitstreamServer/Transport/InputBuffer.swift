import Glibc

/// What a client has sent and no request has consumed yet.
///
/// Requests share the bytes by copy-on-write; nothing is received while one of them is being
/// answered, so nothing is copied.
struct InputBuffer {
  private(set) var bytes: [UInt8] = []
  /// The bytes received and not consumed; those after it are room.
  private(set) var window = 0..<0

  var isEmpty: Bool { window.isEmpty }

  private static let bytesFirst = 8 * 1024
  /// Room grows up to this by itself; beyond, it is given back when it is empty.
  private static let bytesKeptMax = 64 * 1024

  /// What one call of `recv` or `send` came to.
  enum Outcome: Equatable {
    case bytes(Int)
    /// The peer will send no more.
    case end
    case blocked
    case failed
  }

  /// Receives once, as much as there is room for. A level-triggered loop calls again if there is
  /// more.
  mutating func receive(from fd: Int32) -> Outcome {
    makeRoom()
    let end = window.upperBound
    // Unsafe: the kernel writes behind the window, into bytes that are this array's own.
    let count = bytes.withUnsafeMutableBytes { buffer in
      recv(fd, buffer.baseAddress?.advanced(by: end), buffer.count - end, 0)
    }
    if count > 0 { window = window.lowerBound..<end + count }
    return Outcome(received: count)
  }

  /// Throws away what a client still sends; MSG_TRUNC spares the copy (tcp(7)).
  static func discard(from fd: Int32) -> Outcome {
    Outcome(received: recv(fd, nil, 1 << 20, Int32(MSG_TRUNC)))
  }

  mutating func consume(_ count: Int) {
    window = window.lowerBound + count..<window.upperBound
    if window.isEmpty { window = 0..<0 }
  }

  /// Whether it holds no memory.
  var isBare: Bool { bytes.isEmpty }

  private mutating func makeRoom() {
    if window.isEmpty && bytes.count > Self.bytesKeptMax { bytes = [] }
    if window.upperBound < bytes.count { return }
    if window.lowerBound > 0 {
      bytes.removeSubrange(..<window.lowerBound)
      window = 0..<window.count
    }
    // Doubling, as bytes arrive: a promise of a large body costs the client its bytes first.
    let size = max(Self.bytesFirst, window.count * 2)
    bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
  }
}

extension InputBuffer.Outcome {
  fileprivate init(received count: Int) {
    self = count > 0 ? .bytes(count) : count == 0 ? .end : .failure(errno)
  }

  static func failure(_ code: Int32) -> Self {
    code == EAGAIN || code == EINTR ? .blocked : .failed
  }
}
