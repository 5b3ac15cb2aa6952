/// Where in an event's properties a metric's value stands: `$.order.total` or `$.order['total
/// price']`.
///
/// The strict subset of RFC 9535 that the contract names: a chain of member names, after a dot or
/// as a quoted string in brackets; no index, wildcard, descent or filter.
struct PropertyPath: Hashable, Sendable {
  /// Member names from the root, at least one.
  let keys: [String]
  /// As it was written.
  let text: String

  /// What amounts are read from when a metric names no path.
  static let value = PropertyPath(keys: ["value"], text: "$.value")

  private init(keys: [String], text: String) {
    self.keys = keys
    self.text = text
  }

  /// Nil when the text is not of the grammar.
  init?(_ text: String) {
    var rest = Array(text.unicodeScalars)[...]
    guard rest.popFirst() == "$" else { return nil }
    var keys: [String] = []
    while let start = rest.popFirst() {
      let key: String? =
        switch start {
        case ".": Self.name(&rest)
        case "[": Self.quoted(&rest)
        default: nil
        }
      guard let key else { return nil }
      keys.append(key)
    }
    guard !keys.isEmpty else { return nil }
    self.init(keys: keys, text: text)
  }

  /// RFC 9535 §2.5.1.1, `member-name-shorthand`.
  private static func name(_ rest: inout ArraySlice<Unicode.Scalar>) -> String? {
    let name = rest.prefix { isNameStart($0) || ("0"..."9").contains($0) }
    rest = rest.dropFirst(name.count)
    guard let first = name.first, isNameStart(first) else { return nil }
    return text(name)
  }

  private static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
      || !scalar.isASCII
  }

  /// `'…']` or `"…"]`; a backslash keeps a quote or a backslash, and nothing else.
  private static func quoted(_ rest: inout ArraySlice<Unicode.Scalar>) -> String? {
    guard let quote = rest.popFirst(), quote == "'" || quote == "\"" else { return nil }
    var name: [Unicode.Scalar] = []
    while let scalar = rest.popFirst() {
      if scalar == quote { return rest.popFirst() == "]" ? text(name[...]) : nil }
      guard scalar == "\\" else {
        name.append(scalar)
        continue
      }
      guard let kept = rest.popFirst(), kept == quote || kept == "\\" else { return nil }
      name.append(kept)
    }
    return nil
  }

  private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }
}
