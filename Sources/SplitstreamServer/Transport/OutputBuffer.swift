import Glibc

/// Answers on their way to a client.
struct OutputBuffer {
  /// Answers are appended here.
  var bytes: [UInt8] = []
  private var sent = 0

  private static let bytesKeptMax = 16 * 1024

  var isEmpty: Bool { sent == bytes.count }
  /// Whether it holds no memory.
  var isBare: Bool { bytes.capacity == 0 }
  /// The bytes the kernel has not taken yet.
  var pendingCount: Int { bytes.count - sent }

  /// Sends once, all there is. What remains then has to wait until the kernel has room.
  mutating func send(to fd: Int32) -> InputBuffer.Outcome {
    // Unsafe: the kernel reads this array's own bytes. MSG_NOSIGNAL: a dead peer is an error, not
    // the end of the process.
    let count = bytes.withUnsafeBytes { buffer in
      Glibc.send(
        fd, buffer.baseAddress?.advanced(by: sent), buffer.count - sent,
        Int32(MSG_NOSIGNAL))
    }
    guard count >= 0 else { return .failure(errno) }
    sent += count
    if isEmpty {
      sent = 0
      bytes.removeAll(keepingCapacity: bytes.count <= Self.bytesKeptMax)
    }
    return .bytes(count)
  }
}
