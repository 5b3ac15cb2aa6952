/// The patterns of the contract's names. Compared byte by byte: what only looks like a letter or
/// digit does not match.
enum Names {
  /// `^[a-z0-9._-]{1,lengthMax}$`: experiments, metrics and events up to 128, variants up to 64.
  static func isKey(_ text: String, lengthMax: Int) -> Bool {
    (1...lengthMax).contains(text.utf8.count)
      && text.utf8.allSatisfy { isLowerOrDigit($0) || $0 == 0x2e || $0 == 0x5f || $0 == 0x2d }
  }

  /// `^[a-z0-9-]{1,32}$` but `all`, which stands for "no environment" in a key.
  static func isSlug(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count) && text != "all"
      && text.utf8.allSatisfy { isLowerOrDigit($0) || $0 == 0x2d }
  }

  private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
  }
}

/// One wrong field of an input: where it stands (RFC 6901, from the body's root) and what is wrong
/// with it.
struct FieldProblem: Error, Equatable, Sendable {
  let pointer: String
  let detail: String
}
