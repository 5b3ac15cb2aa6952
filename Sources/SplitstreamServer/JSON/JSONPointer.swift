/// An RFC 6901 pointer, built from the inside out.
struct JSONPointer {
  private(set) var text = ""

  mutating func prepend(_ token: String) {
    text = "/" + Self.escaped(token) + text
  }

  /// `token` as it stands between two slashes: RFC 6901 §3 keeps "~" and "/" for itself.
  static func escaped(_ token: String) -> String {
    guard token.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
      return token
    }
    return String(
      decoding: token.utf8.flatMap { byte -> [UInt8] in
        switch byte {
        case UInt8(ascii: "~"): Array("~0".utf8)
        case UInt8(ascii: "/"): Array("~1".utf8)
        default: [byte]
        }
      }, as: UTF8.self)
  }

  /// Prepends the place in a container that is still being read, whose `end` counts the nodes read
  /// so far.
  mutating func prependToken(
    ofOpen container: Int, childIsOpen: Bool, in nodes: [JSONNode], _ text: Span<UInt8>
  ) {
    let count = Int(nodes[container].end)
    if nodes[container].kind == .array {
      return prepend(String(childIsOpen ? count - 1 : count))
    }
    // Names and values alternate. An even count without an open child means that no member is being
    // read.
    guard childIsOpen || count % 2 == 1 else { return }
    var index = container + 1
    for _ in 0..<(count - 1) / 2 {
      index = Int(nodes[index + 1].next)
    }
    prepend(nodes[index].string(in: text))
  }
}

extension JSONValue {
  /// Where in its document this value stands, for an error that names it; found anew by a walk from
  /// the root.
  var pointer: String {
    var tokens: [String] = []
    var current = root
    while current.index != index {
      if current.kind == .object {
        guard let inner = current.members.first(where: { $0.value.contains(self) }) else { break }
        tokens.append(inner.key)
        current = inner.value
      } else {
        let inner = current.elements.enumerated().first { $0.element.contains(self) }
        guard let inner else { break }
        tokens.append(String(inner.offset))
        current = inner.element
      }
    }
    var pointer = JSONPointer()
    for token in tokens.reversed() { pointer.prepend(token) }
    return pointer.text
  }

  /// The pointer of a member of this object, which may be absent.
  func pointer(to member: String) -> String {
    pointer + "/" + JSONPointer.escaped(member)
  }
}
