/// A value of a JSON text that has been read and checked as a whole: a view, cheap to copy, that
/// keeps the text alive.
struct JSONValue: Sendable {
  let document: JSONDocument
  let index: Int

  /// Reads a text that is one JSON document and nothing else.
  ///
  /// - Parameter depthMax: containers within each other, 1 … 65,535; a scalar has none.
  init(parsing bytes: ArraySlice<UInt8>, depthMax: Int = 64) throws(JSONError) {
    document = try JSONDocument(bytes, depthMax: depthMax)
    index = 0
  }

  init(parsing bytes: [UInt8], depthMax: Int = 64) throws(JSONError) {
    try self.init(parsing: bytes[...], depthMax: depthMax)
  }

  init(document: JSONDocument, index: Int) {
    self.document = document
    self.index = index
  }

  enum Kind: UInt8, Sendable {
    case object, array, string, number, bool, null
  }

  var kind: Kind { node.kind }
  var isNull: Bool { node.kind == .null }

  /// Levels of containers: 0 for a scalar, 1 for `{}`, 2 for `[{}]`.
  var nesting: Int { Int(node.nesting) }

  /// The bytes of this value exactly as received.
  var source: ArraySlice<UInt8> {
    let quote = kind == .string ? 1 : 0
    return document.slice(Int(node.start) - quote, Int(node.end) + quote)
  }

  /// The whole document that this value belongs to.
  var root: JSONValue { JSONValue(document: document, index: 0) }

  var node: JSONNode { document.nodes[index] }
}

/// Scalars: nil when the value is of another kind.
extension JSONValue {
  var string: String? {
    guard kind == .string else { return nil }
    let bytes = document.bytes
    return node.string(in: bytes.span)
  }

  /// The UTF-8 of a string; without escapes in it, a part of the text itself and no copy.
  var stringBytes: ArraySlice<UInt8>? {
    guard kind == .string else { return nil }
    let raw = document.slice(Int(node.start), Int(node.end))
    guard node.isEscaped else { return raw }
    var bytes: [UInt8] = []
    JSONString.unescape(raw.span, into: &bytes)
    return bytes[...]
  }

  /// Whether this is the string `text`, byte for byte: `==` of String would take "é" for
  /// "e\u{301}".
  func isString(_ text: StaticString) -> Bool {
    guard kind == .string else { return false }
    let bytes = document.bytes
    return text.withUTF8Buffer { node.isString($0.span, in: bytes.span) }
  }

  /// A number that is an integer in value and fits: 1, 1.0, 1e2.
  var integer: Int? {
    guard kind == .number else { return nil }
    let number = source
    return JSONNumber.integer(number.span)
  }

  /// A number, rounded to the nearest double; nil when that would be infinite.
  var double: Double? {
    guard kind == .number else { return nil }
    let number = source
    return JSONNumber.double(number.span)
  }

  var bool: Bool? {
    kind == .bool ? source.first == UInt8(ascii: "t") : nil
  }
}
