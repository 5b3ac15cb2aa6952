/// Who is bucketed: the bytes as the caller sent them.
///
/// Not a String: Swift compares strings by canonical equivalence, so that two units which the
/// database keeps apart would share one assignment.
struct UnitID: Hashable, Sendable {
  /// Often a part of the request that named it: nothing is copied.
  let bytes: ArraySlice<UInt8>

  static let bytesMax = 256

  /// Nil unless `bytes` are 1–256 bytes of UTF-8 without NUL. The reader of the body has checked
  /// the encoding.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard (1...Self.bytesMax).contains(bytes.count), !bytes.contains(0) else { return nil }
    self.bytes = bytes
  }

  init?(_ text: String) {
    self.init([UInt8](text.utf8)[...])
  }

  /// All bytes at once; an array hashes them one by one.
  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
}
