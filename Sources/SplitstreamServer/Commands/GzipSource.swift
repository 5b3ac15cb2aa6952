import CZlib

/// What a gzip file holds (RFC 1952): any number of members, one after the other.
///
/// The class owns zlib's stream, which must keep its address because zlib's own state points back
/// to it.
final class GzipSource: ByteSource {
  /// The first two bytes of every member (RFC 1952 §2.3.1).
  static let magic: [UInt8] = [0x1f, 0x8b]
  static let chunkBytes = 256 * 1024

  private let compressed: any ByteSource
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var input: [UInt8] = []
  private var inputPosition = 0
  /// Bytes of a member have been read and its end has not.
  private var isInsideMember = false

  init(_ compressed: any ByteSource) {
    self.compressed = compressed
    stream.initialize(to: z_stream())
    let code = splitstream_inflate_init(stream)
    precondition(code == Z_OK, "inflateInit2 failed with \(code)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func nextChunk() throws(TableError) -> [UInt8]? {
    while true {
      if inputPosition == input.count {
        guard let chunk = try compressed.nextChunk() else {
          if isInsideMember { throw .gzip(reason: "the compressed file is truncated") }
          return nil
        }
        (input, inputPosition) = (chunk, 0)
      }
      if !isInsideMember {
        skipPadding()
        if inputPosition == input.count { continue }
        isInsideMember = true
      }
      let output = try inflateOnce()
      if !output.isEmpty { return output }
    }
  }

  /// Zeros after a member fill a block of a tape or disk; gzip ignores them too.
  private func skipPadding() {
    while inputPosition < input.count, input[inputPosition] == 0 { inputPosition += 1 }
  }

  private func inflateOnce() throws(TableError) -> [UInt8] {
    var code = Z_OK
    let output = [UInt8](unsafeUninitializedCapacity: Self.chunkBytes) { buffer, count in
      input.withUnsafeMutableBufferPointer { input in
        stream.pointee.next_in = input.baseAddress.map { $0 + inputPosition }
        stream.pointee.avail_in = uInt(input.count - inputPosition)
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = uInt(buffer.count)
        code = inflate(stream, Z_NO_FLUSH)
        inputPosition = input.count - Int(stream.pointee.avail_in)
      }
      count = Self.chunkBytes - Int(stream.pointee.avail_out)
    }
    switch code {
    case Z_STREAM_END:
      inflateReset(stream)
      isInsideMember = false
    // Z_BUF_ERROR: everything given has been used and more is needed.
    case Z_OK, Z_BUF_ERROR:
      break
    default:
      let reason = stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(code)"
      throw .gzip(reason: "the compressed file is damaged (\(reason))")
    }
    return output
  }
}
