@testable import SplitstreamServer

/// Bytes in memory that arrive in pieces of a given size.
final class ChunkedSource: ByteSource {
  private var rest: ArraySlice<UInt8>
  private let chunkBytes: Int

  init(_ bytes: some Sequence<UInt8>, chunkBytes: Int = .max) {
    rest = Array(bytes)[...]
    self.chunkBytes = chunkBytes
  }

  func nextChunk() -> [UInt8]? {
    guard !rest.isEmpty else { return nil }
    defer { rest = rest.dropFirst(chunkBytes) }
    return Array(rest.prefix(chunkBytes))
  }
}
