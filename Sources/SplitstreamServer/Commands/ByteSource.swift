import Glibc

/// Bytes that arrive a chunk at a time. One thread at a time reads it, once.
protocol ByteSource: AnyObject {
  /// The next bytes, at least one; nil at the end.
  func nextChunk() throws(TableError) -> [UInt8]?
}

/// The bytes of a regular file.
final class FileSource: ByteSource {
  static let chunkBytes = 256 * 1024

  private let descriptor: Int32

  /// A pipe is refused: what reads a table reads it more than once.
  init(path: String) throws(TableError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .file(reason: "cannot be opened (\(systemReason(errno)))")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .file(reason: "is not a regular file")
    }
  }

  deinit { close(descriptor) }

  func nextChunk() throws(TableError) -> [UInt8]? {
    let chunk = try readBytes { read(descriptor, $0.baseAddress, $0.count) }
    return chunk.isEmpty ? nil : chunk
  }

  /// Whether the file begins with `prefix`; what is read next stays the same.
  func begins(with prefix: [UInt8]) throws(TableError) -> Bool {
    let head = try readBytes { pread(descriptor, $0.baseAddress, prefix.count, 0) }
    return head == prefix
  }

  private func readBytes(
    _ read: (UnsafeMutableBufferPointer<UInt8>) -> Int
  ) throws(TableError) -> [UInt8] {
    var failure: Int32?
    let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkBytes) { buffer, count in
      repeat {
        let result = read(buffer)
        count = max(0, result)
        failure = result < 0 ? errno : nil
      } while failure == EINTR
    }
    if let failure {
      throw .file(reason: "cannot be read (\(systemReason(failure)))")
    }
    return chunk
  }
}

/// What the system says about an error number: "No such file or directory".
func systemReason(_ code: Int32) -> String {
  String(cString: strerror(code))
}
