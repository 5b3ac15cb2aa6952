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

  /// Receives once, as much as there is room for.
  mutating func receive(from stream: inout ByteStream) -> ByteStream.Outcome {
    makeRoom()
    let end = window.upperBound
    // Unsafe: what is received is written behind the window, into bytes that are this array's own.
    let outcome = bytes.withUnsafeMutableBytes { buffer in
      stream.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
    }
    if case .bytes(let count) = outcome { window = window.lowerBound..<end + count }
    return outcome
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
