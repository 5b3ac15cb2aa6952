/// A checked JSON text and the flat table of its values, shared by every `JSONValue` that looks
/// into it.
///
/// The table lists the values in the order of the text: a container is followed by all that it
/// contains, a member by its name and then its value. `JSONNode.next` skips over a whole subtree.
final class JSONDocument: Sendable {
  let bytes: ArraySlice<UInt8>
  let nodes: [JSONNode]

  init(_ bytes: ArraySlice<UInt8>, depthMax: Int) throws(JSONError) {
    var parser = JSONParser(byteCount: bytes.count, depthMax: depthMax)
    try parser.parse(bytes.span)
    self.bytes = bytes
    nodes = parser.nodes
  }

  /// The bytes from one offset to another of the text as received.
  func slice(_ start: Int, _ end: Int) -> ArraySlice<UInt8> {
    bytes[bytes.startIndex + start..<bytes.startIndex + end]
  }
}

/// One value, or one member's name, in 16 bytes.
struct JSONNode {
  /// Offsets of the text: a string without its quotes, everything else as written.
  var start: UInt32
  var end: UInt32
  /// Index of the first node after this one's subtree.
  var next: UInt32
  var nesting: UInt16 = 0
  var kind: JSONValue.Kind
  /// A string with at least one escape sequence, so that its bytes are not its characters.
  var isEscaped = false

  /// Offsets are kept in 32 bits.
  static let textBytesMax = Int(UInt32.max)

  var range: Range<Int> { Int(start)..<Int(end) }
}
