/// Looking into objects and arrays.
extension JSONValue {
  /// The member of an object; nil when it is absent or this is not an object. Costs one comparison
  /// per member.
  subscript(_ key: StaticString) -> JSONValue? {
    key.withUTF8Buffer { member($0.span) }
  }

  subscript(member key: String) -> JSONValue? {
    var key = key
    return key.withUTF8 { member($0.span) }
  }

  /// The members in the order of the text; none when this is not an object.
  var members: JSONMembers { JSONMembers(of: self) }

  /// The elements in the order of the text; none when this is not an array.
  var elements: JSONElements { JSONElements(of: self) }

  /// Whether `other` is this value or stands within it.
  func contains(_ other: JSONValue) -> Bool {
    document === other.document && (index..<Int(node.next)).contains(other.index)
  }

  private func member(_ key: Span<UInt8>) -> JSONValue? {
    let (nodes, bytes) = (document.nodes, document.bytes)
    return nodes.span.member(key, of: index, in: bytes.span).map {
      JSONValue(document: document, index: $0)
    }
  }
}

extension Span where Element == JSONNode {
  /// The node of a member's value; nil when it is absent or `object` is none. For those who look up
  /// many and hold the document's arrays themselves.
  func member(_ name: Span<UInt8>, of object: Int, in text: Span<UInt8>) -> Int? {
    guard self[object].kind == .object else { return nil }
    let end = Int(self[object].next)
    var key = object + 1
    while key < end {
      if self[key].isString(name, in: text) { return key + 1 }
      key = Int(self[key + 1].next)
    }
    return nil
  }
}

/// The members of an object, in the order of the text.
struct JSONMembers: Sequence, IteratorProtocol, Sendable {
  private let document: JSONDocument
  private var name: Int
  private let end: Int

  init(of value: JSONValue) {
    document = value.document
    name = value.index + 1
    end = value.kind == .object ? Int(value.node.next) : name
  }

  mutating func next() -> (key: String, value: JSONValue)? {
    guard name < end else { return nil }
    let bytes = document.bytes
    let key = document.nodes[name].string(in: bytes.span)
    let value = JSONValue(document: document, index: name + 1)
    name = Int(value.node.next)
    return (key, value)
  }

  /// How many members are left to iterate; counted by a walk over them.
  var count: Int {
    var count = 0
    var index = name
    while index < end {
      index = Int(document.nodes[index + 1].next)
      count += 1
    }
    return count
  }

  var isEmpty: Bool { name >= end }
}

/// The elements of an array, in the order of the text.
struct JSONElements: Sequence, IteratorProtocol, Sendable {
  private let document: JSONDocument
  private var index: Int
  private let end: Int

  init(of value: JSONValue) {
    document = value.document
    index = value.index + 1
    end = value.kind == .array ? Int(value.node.next) : index
  }

  mutating func next() -> JSONValue? {
    guard index < end else { return nil }
    defer { index = Int(document.nodes[index].next) }
    return JSONValue(document: document, index: index)
  }

  /// How many elements are left to iterate; counted by a walk over them.
  var count: Int {
    var count = 0
    var index = index
    while index < end {
      index = Int(document.nodes[index].next)
      count += 1
    }
    return count
  }

  var isEmpty: Bool { index >= end }
}
