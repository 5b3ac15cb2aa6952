/// What an attribute is compared with. Another type is another value: 1 is not "1".
enum AudienceValue: Hashable, Sendable {
  case text([UInt8])
  case number(ExactNumber)
  case bool(Bool)

  func isEqual(to value: JSONNode, in text: Span<UInt8>) -> Bool {
    switch self {
    case .text(let own): value.kind == .string && value.isString(own.span, in: text)
    case .number(let own): value.kind == .number && ExactNumber(value, in: text) == own
    case .bool(let own): value.bool(in: text) == own
    }
  }
}

/// The values of `in`, made to be searched without allocation.
struct AudienceValues: Equatable, Sendable {
  /// All texts, sorted, one after the other, and where each ends.
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  private var numbers: Set<ExactNumber> = []
  private var bools: Set<Bool> = []

  init(_ values: [AudienceValue]) {
    var texts: [[UInt8]] = []
    for value in Set(values) {
      switch value {
      case .text(let text): texts.append(text)
      case .number(let number): numbers.insert(number)
      case .bool(let bool): bools.insert(bool)
      }
    }
    for text in texts.sorted(by: { ByteOrder.compare($0.span, $1.span) < 0 }) {
      bytes += text
      ends.append(bytes.count)
    }
  }

  func contains(_ number: ExactNumber) -> Bool { numbers.contains(number) }

  func contains(_ bool: Bool?) -> Bool { bool.map(bools.contains) ?? false }

  func contains(_ text: Span<UInt8>) -> Bool {
    var (low, high) = (0, ends.count)
    while low < high {
      let middle = (low + high) / 2
      let start = middle == 0 ? 0 : ends[middle - 1]
      let order = ByteOrder.compare(bytes.span.extracting(start..<ends[middle]), text)
      if order == 0 { return true }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return false
  }
}

extension JSONNode {
  func bool(in text: Span<UInt8>) -> Bool? {
    kind == .bool ? text[Int(start)] == UInt8(ascii: "t") : nil
  }
}

extension ExactNumber {
  init(_ value: JSONNode, in text: Span<UInt8>) {
    self.init(text.extracting(value.range))
  }
}
