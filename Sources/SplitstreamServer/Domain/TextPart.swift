/// A part to be found in texts, in time linear in the text (Knuth, Morris & Pratt 1977).
struct TextPart: Equatable, Sendable {
  let bytes: [UInt8]
  /// For each length of a start of `bytes` from 1 on: how much of its end is its beginning, too.
  private let borders: [Int]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var borders = [Int](repeating: 0, count: bytes.count)
    var length = 0
    for position in bytes.indices.dropFirst() {
      while length > 0 && bytes[length] != bytes[position] { length = borders[length - 1] }
      if bytes[length] == bytes[position] { length += 1 }
      borders[position] = length
    }
    self.borders = borders
  }

  func isIn(_ text: Span<UInt8>) -> Bool {
    guard bytes.count <= text.count else { return false }
    var matched = 0
    for position in text.indices where matched < bytes.count {
      while matched > 0 && bytes[matched] != text[position] { matched = borders[matched - 1] }
      if bytes[matched] == text[position] { matched += 1 }
    }
    return matched == bytes.count
  }
}
