import COpenSSL
import Glibc

/// OpenSSL refused something, with its own words for the reason.
struct TLSError: Error, Equatable, CustomStringConvertible {
  let doing: String
  let reason: String
  let blames: Part?

  /// Which file is to be mended.
  enum Part: Equatable, Sendable {
    case certificate
    case key
  }

  /// Takes the reason from this thread's queue of errors and empties it.
  init(doing: String, blames: Part? = nil) {
    self.doing = doing
    self.blames = blames
    var reasons: [String] = []
    // The first is the cause, those after it are where it came through.
    while true {
      let code = ERR_get_error()
      guard code != 0 else { break }
      // ERR_get_error(3): the system's own errors carry their `errno` and have no other text.
      if code & Self.systemFlag != 0 {
        reasons.append(String(cString: strerror(Int32(code & ~Self.systemFlag))))
      } else if let text = ERR_reason_error_string(code) {
        reasons.append(String(cString: text))
      }
    }
    reason = reasons.first ?? ""
  }

  private static let systemFlag: UInt = 0x8000_0000

  var description: String { "cannot \(doing)" + (reason.isEmpty ? "" : ": \(reason)") }

  /// The reason code of the newest error in this thread's queue.
  static var lastReason: Int32 { Int32(truncatingIfNeeded: ERR_peek_last_error() & 0x7f_ffff) }
}
