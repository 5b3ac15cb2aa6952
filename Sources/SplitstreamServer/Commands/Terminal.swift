import Glibc

/// The process's two ways of speaking: results on standard output, everything else on standard
/// error.
enum Terminal {
  static func writeResult(_ text: String) { write(text, to: STDOUT_FILENO) }
  static func writeNote(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Whether a person looks at standard error, so that a line can be drawn again.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  /// What cannot be written (a closed pipe, a full disk) is lost; the command's work is not.
  private static func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
