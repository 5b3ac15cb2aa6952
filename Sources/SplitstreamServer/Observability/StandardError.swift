import Glibc
import Synchronization

/// Descriptor 2, written a line at a time by every thread of the process.
enum StandardError {
  /// Writes all of `line`, or gives up: a reader that is gone must not stop the server.
  @Sendable static func write(_ line: [UInt8]) {
    // One writer at a time: on a pipe the kernel keeps only 4,096 bytes together by itself.
    writer.withLock { _ in
      var written = 0
      while written < line.count {
        let count = line[written...].withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        written += count
      }
    }
  }

  private static let writer = Mutex(())
}
