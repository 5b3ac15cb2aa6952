/// Memory for one answer after another: an answer that has been sent leaves it to the next one, and
/// one that is kept longer keeps it. Loop-owned.
final class AnswerMemory {
  private var bytes: [UInt8] = []

  /// One JSON text.
  func write(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter(reusing: exchange(&bytes, with: []))
    write(&json)
    bytes = json.bytes
    return bytes
  }
}
