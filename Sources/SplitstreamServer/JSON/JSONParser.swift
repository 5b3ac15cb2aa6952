/// RFC 8259 over bytes, in one pass and without recursion.
///
/// Stricter than the RFC asks where two readers could disagree: duplicate names, lone surrogates,
/// `\u0000` and a byte order mark are refused. Depth is bounded, and no input makes it read outside
/// the text: every access is checked.
struct JSONParser {
  private(set) var nodes: [JSONNode] = []
  private let depthMax: Int
  private var position = 0
  /// Index of the innermost open container; while one is open its `next` is the container around it
  /// and its `end` the number of nodes directly in it, so that no stack is needed.
  private var container = JSONParser.none
  private var depth = 0

  private static let none = UInt32.max

  init(byteCount: Int, depthMax: Int) {
    precondition((1...Int(UInt16.max)).contains(depthMax), "depthMax is out of range")
    self.depthMax = depthMax
    // Bodies of the API hold one node per 8 to 12 bytes; the table grows for denser ones.
    nodes.reserveCapacity(min(byteCount, JSONNode.textBytesMax) / 8 + 8)
  }

  mutating func parse(_ text: Span<UInt8>) throws(JSONError) {
    guard text.count <= JSONNode.textBytesMax else {
      throw fault(.tooLarge(bytesMax: JSONNode.textBytesMax), text)
    }
    if text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF {
      throw fault(.byteOrderMark, text)
    }
    repeat {
      try value(text)
    } while try anotherFollows(text)
    skipWhitespace(text)
    guard position == text.count else { throw fault(.expected("the end of the text"), text) }
  }

  /// Reads a value, or the opening of a container up to where its first value begins.
  private mutating func value(_ text: Span<UInt8>) throws(JSONError) {
    while true {
      skipWhitespace(text)
      guard position < text.count else { throw fault(.unexpectedEnd, text) }
      switch text[position] {
      case UInt8(ascii: "\""):
        return try string(text)
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        return try number(text)
      case UInt8(ascii: "{"):
        try open(.object, text)
        if try closes(UInt8(ascii: "}"), text) { return }
        try memberName(text)
      case UInt8(ascii: "["):
        try open(.array, text)
        if try closes(UInt8(ascii: "]"), text) { return }
      case UInt8(ascii: "t"):
        return try literal("true", .bool, text)
      case UInt8(ascii: "f"):
        return try literal("false", .bool, text)
      case UInt8(ascii: "n"):
        return try literal("null", .null, text)
      default:
        throw fault(.expected("a value"), text)
      }
    }
  }

  /// After a value: closes the containers that end here; true when a comma promises another value.
  private mutating func anotherFollows(_ text: Span<UInt8>) throws(JSONError) -> Bool {
    while container != Self.none {
      let isObject = nodes[Int(container)].kind == .object
      let closing = UInt8(ascii: isObject ? "}" : "]")
      if try closes(closing, text) { continue }
      guard text[position] == UInt8(ascii: ",") else {
        throw fault(.expected(isObject ? "\",\" or \"}\"" : "\",\" or \"]\""), text)
      }
      position += 1
      if isObject {
        skipWhitespace(text)
        try memberName(text)
      }
      return true
    }
    return false
  }

  private mutating func open(_ kind: JSONValue.Kind, _ text: Span<UInt8>) throws(JSONError) {
    guard depth < depthMax else { throw fault(.tooDeep(depthMax: depthMax), text) }
    countInContainer()
    depth += 1
    let node = JSONNode(start: UInt32(position), end: 0, next: container, nesting: 1, kind: kind)
    container = UInt32(nodes.count)
    nodes.append(node)
    position += 1
  }

  /// Closes the innermost container if `closing` is what comes next.
  private mutating func closes(_ closing: UInt8, _ text: Span<UInt8>) throws(JSONError) -> Bool {
    skipWhitespace(text)
    guard position < text.count else { throw fault(.unexpectedEnd, text) }
    guard text[position] == closing else { return false }
    let index = Int(container)
    let memberCount = Int(nodes[index].end) / 2
    let parent = nodes[index].next
    nodes[index].next = UInt32(nodes.count)
    if nodes[index].kind == .object, memberCount > 1,
      let twice = JSONMemberNames(of: index, count: memberCount, in: nodes).firstDuplicate(text)
    {
      nodes[index].next = parent
      position = Int(nodes[twice].start) - 1
      let name = nodes[twice].string(in: text)
      throw fault(.duplicateMember(name), at: name, text)
    }
    position += 1
    nodes[index].end = UInt32(position)
    if parent != Self.none {
      nodes[Int(parent)].nesting = max(nodes[Int(parent)].nesting, nodes[index].nesting + 1)
    }
    container = parent
    depth -= 1
    return true
  }

  /// Reads a member's name and its colon.
  private mutating func memberName(_ text: Span<UInt8>) throws(JSONError) {
    guard position < text.count else { throw fault(.unexpectedEnd, text) }
    guard text[position] == UInt8(ascii: "\"") else {
      throw fault(.expected("a member's name"), text)
    }
    try string(text)
    skipWhitespace(text)
    guard position < text.count else { throw fault(.unexpectedEnd, text) }
    guard text[position] == UInt8(ascii: ":") else { throw fault(.expected("\":\""), text) }
    position += 1
  }

  private mutating func string(_ text: Span<UInt8>) throws(JSONError) {
    var scanner = JSONStringScanner(position: position + 1)
    if let reason = scanner.scan(text) {
      position = scanner.position
      throw fault(reason, text)
    }
    append(.string, from: position + 1, to: scanner.position, isEscaped: scanner.isEscaped)
    position = scanner.position + 1
  }

  private mutating func number(_ text: Span<UInt8>) throws(JSONError) {
    guard let end = JSONNumber.end(in: text, from: position) else {
      throw fault(.invalidNumber, text)
    }
    append(.number, from: position, to: end)
    position = end
  }

  private mutating func literal(
    _ word: StaticString, _ kind: JSONValue.Kind, _ text: Span<UInt8>
  ) throws(JSONError) {
    let end = position + word.utf8CodeUnitCount
    guard end <= text.count, JSONString.bytes(text.extracting(position..<end), equal: word) else {
      throw fault(.expected("a value"), text)
    }
    append(kind, from: position, to: end)
    position = end
  }

  private mutating func append(
    _ kind: JSONValue.Kind, from start: Int, to end: Int, isEscaped: Bool = false
  ) {
    countInContainer()
    nodes.append(
      JSONNode(
        start: UInt32(start), end: UInt32(end), next: UInt32(nodes.count + 1), kind: kind,
        isEscaped: isEscaped))
  }

  private mutating func countInContainer() {
    if container != Self.none { nodes[Int(container)].end += 1 }
  }

  private mutating func skipWhitespace(_ text: Span<UInt8>) {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// The error at the present position, with the pointer that the open containers make.
  private func fault(
    _ reason: JSONError.Reason, at name: String? = nil, _ text: Span<UInt8>
  ) -> JSONError {
    var pointer = JSONPointer()
    if let name { pointer.prepend(name) }
    var inner = container
    var childIsOpen = false
    while inner != Self.none {
      let index = Int(inner)
      if name == nil || childIsOpen {
        pointer.prependToken(ofOpen: index, childIsOpen: childIsOpen, in: nodes, text)
      }
      inner = nodes[index].next
      childIsOpen = true
    }
    return JSONError(reason: reason, offset: position, pointer: pointer.text)
  }
}
