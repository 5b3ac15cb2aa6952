/// What the conditions of a program compare with, one array for each type; a condition names a
/// place in one. It is evaluated where the values stand: nothing is copied, no reference counted.
struct AudienceOperands: Sendable {
  private var bytes: [UInt8] = []
  /// In `bytes`.
  private var texts: [Range<Int>] = []
  /// The names of each attribute, in `texts`.
  private var paths: [Range<Int>] = []
  private var numbers: [ExactNumber] = []
  private var elements: [AudienceValue] = []
  private var lists: [AudienceValues] = []
  private var parts: [TextPart] = []
  private var patterns: [TextPattern] = []
  private var versions: [SemanticVersion] = []

  /// A condition without its operand, but for what is a number.
  enum Condition: Sendable {
    case exists
    case equalsText(Int)
    case equalsNumber(Int)
    case equalsBool(Bool)
    case isOneOf(Int)
    case compares(AudienceTest.Order, Int)
    case containsText(Int)
    case containsElement(Int)
    case startsWith(Int)
    case endsWith(Int)
    case matches(Int)
    case version(AudienceTest.Order, Int, text: Int)
    case isBefore(Timestamp)
    case isAfter(Timestamp)
  }

  // MARK: Building

  mutating func add(path: [[UInt8]]) -> Int {
    let start = texts.count
    for name in path { _ = add(name) }
    return Self.add(start..<texts.count, to: &paths)
  }

  mutating func add(_ condition: AudienceTest.Condition) -> Condition {
    switch condition {
    case .exists: .exists
    case .equals(.text(let text)): .equalsText(add(text))
    case .equals(.number(let number)): .equalsNumber(Self.add(number, to: &numbers))
    case .equals(.bool(let bool)): .equalsBool(bool)
    case .isOneOf(let values): .isOneOf(Self.add(values, to: &lists))
    case .compares(let order, let number): .compares(order, Self.add(number, to: &numbers))
    case .containsText(let part): .containsText(Self.add(part, to: &parts))
    case .containsElement(let element): .containsElement(Self.add(element, to: &elements))
    case .startsWith(let text): .startsWith(add(text))
    case .endsWith(let text): .endsWith(add(text))
    case .matches(let pattern): .matches(Self.add(pattern, to: &patterns))
    case .version(let order, let version, let text):
      .version(order, Self.add(version, to: &versions), text: add(text))
    case .isBefore(let time): .isBefore(time)
    case .isAfter(let time): .isAfter(time)
    }
  }

  private mutating func add(_ text: [UInt8]) -> Int {
    let start = bytes.count
    bytes += text
    return Self.add(start..<bytes.count, to: &texts)
  }

  private static func add<T>(_ operand: T, to operands: inout [T]) -> Int {
    operands.append(operand)
    return operands.count - 1
  }

  // MARK: Evaluating

  /// The node of an attribute; nil when it is missing or null.
  func attribute(
    _ path: Int, of context: Int, _ nodes: Span<JSONNode>, _ text: Span<UInt8>
  ) -> Int? {
    var value = context
    for name in paths[path] {
      let name = bytes.span.extracting(texts[name])
      guard let inner = nodes.member(name, of: value, in: text) else { return nil }
      value = inner
    }
    return nodes[value].kind == .null ? nil : value
  }

  /// Whether the condition holds for the value at `node`; one of another type satisfies none.
  func holds(
    _ condition: Condition, _ node: Int, _ nodes: Span<JSONNode>, _ text: Span<UInt8>
  ) -> Bool {
    let value = nodes[node]
    switch (condition, value.kind) {
    case (.exists, _): return true
    case (_, .string):
      guard value.isEscaped else { return holds(condition, text.extracting(value.range)) }
      var unescaped: [UInt8] = []
      JSONString.unescape(text.extracting(value.range), into: &unescaped)
      return holds(condition, unescaped.span)
    case (.equalsNumber(let operand), .number):
      return ExactNumber.compare(ExactNumber(value, in: text), numbers.span[operand]) == 0
    case (.compares(let order, let operand), .number):
      return order.holds(
        ExactNumber.compare(ExactNumber(value, in: text), numbers.span[operand]))
    case (.isOneOf(let list), .number):
      return lists.span[list].contains(ExactNumber(value, in: text))
    case (.equalsBool(let bool), .bool): return value.bool(in: text) == bool
    case (.isOneOf(let list), .bool): return lists.span[list].contains(value.bool(in: text))
    case (.containsText(let part), .array):
      return hasElement(.text(parts[part].bytes), node, nodes, text)
    case (.containsElement(let element), .array):
      return hasElement(elements[element], node, nodes, text)
    default: return false
    }
  }

  private func holds(_ condition: Condition, _ string: Span<UInt8>) -> Bool {
    switch condition {
    case .equalsText(let operand):
      return ByteOrder.isEqual(string, bytes.span.extracting(texts[operand]))
    case .isOneOf(let list): return lists.span[list].contains(string)
    case .containsText(let part): return parts.span[part].isIn(string)
    case .startsWith(let operand):
      return ByteOrder.starts(string, with: bytes.span.extracting(texts[operand]))
    case .endsWith(let operand):
      return ByteOrder.ends(string, with: bytes.span.extracting(texts[operand]))
    case .matches(let pattern): return patterns.span[pattern].isFound(in: string)
    case .version(let order, let operand, let operandText):
      guard let version = SemanticVersion(string) else { return false }
      return order.holds(
        SemanticVersion.compare(
          version, string, versions.span[operand], bytes.span.extracting(texts[operandText])))
    case .isBefore(let time): return Self.time(string).map { $0 < time } ?? false
    case .isAfter(let time): return Self.time(string).map { $0 > time } ?? false
    case .exists, .equalsNumber, .equalsBool, .compares, .containsElement: return false
    }
  }

  private static func time(_ string: Span<UInt8>) -> Timestamp? {
    Timestamp(rfc3339: string.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
  }

  private func hasElement(
    _ element: AudienceValue, _ array: Int, _ nodes: Span<JSONNode>, _ text: Span<UInt8>
  ) -> Bool {
    var index = array + 1
    while index < Int(nodes[array].next) {
      if element.isEqual(to: nodes[index], in: text) { return true }
      index = Int(nodes[index].next)
    }
    return false
  }
}
