/// Answers on their way to a client.
struct OutputBuffer {
  /// Answers are appended here.
  var bytes: [UInt8] = []
  private var sent = 0

  private static let bytesKeptMax = 16 * 1024

  var isEmpty: Bool { sent == bytes.count }
  /// Whether it holds no memory.
  var isBare: Bool { bytes.capacity == 0 }
  /// The bytes not sent yet.
  var pendingCount: Int { bytes.count - sent }

  /// Sends once, all there is. What remains then has to wait until there is room.
  mutating func send(to stream: ByteStream) -> ByteStream.Outcome {
    // Unsafe: this array's own bytes are read.
    let outcome = bytes.withUnsafeBytes { buffer in
      stream.send(UnsafeRawBufferPointer(rebasing: buffer[sent...]))
    }
    guard case .bytes(let count) = outcome else { return outcome }
    sent += count
    if isEmpty {
      sent = 0
      bytes.removeAll(keepingCapacity: bytes.count <= Self.bytesKeptMax)
    }
    return outcome
  }
}
