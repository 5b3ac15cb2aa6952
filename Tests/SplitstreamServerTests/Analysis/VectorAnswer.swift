import Foundation

/// A JSON value as the vectors state it and as our functions answer it, for strict comparison.
enum VectorAnswer: Decodable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([VectorAnswer])
  case object([String: VectorAnswer])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    // JSONDecoder keeps true and 1 apart, so the order does not matter.
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([VectorAnswer].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: VectorAnswer].self))
    }
  }

  /// Where this answer differs from `expected`: the path and both values; empty if it does not.
  func differences(from expected: VectorAnswer, _ tolerance: VectorTolerance, at path: String = "")
    -> [String]
  {
    switch (self, expected) {
    case (.number(let x), .number(let y)):
      let name = path.split(separator: ".").last { Int($0) == nil }
      return tolerance.accepts(x, y, field: name.map(String.init) ?? "")
        ? [] : ["\(path): \(x) instead of \(y)"]
    case (.list, .list) where path.hasSuffix(".reasons") && Self.sameSet(self, expected):
      return []  // Reasons are a set.
    case (.list(let ours), .list(let theirs)) where ours.count == theirs.count:
      return zip(ours, theirs).enumerated().flatMap { index, pair in
        pair.0.differences(from: pair.1, tolerance, at: "\(path).\(index)")
      }
    case (.object(let ours), .object(let theirs)):
      return Set(theirs.keys).union(ours.keys).sorted().flatMap { key -> [String] in
        guard let mine = ours[key] else { return ["\(path).\(key): missing"] }
        guard let other = theirs[key] else { return ["\(path).\(key): not expected"] }
        return mine.differences(from: other, tolerance, at: "\(path).\(key)")
      }
    default:
      return self == expected ? [] : ["\(path): \(self) instead of \(expected)"]
    }
  }
}

extension VectorAnswer {
  /// Two lists of strings with the same members.
  private static func sameSet(_ left: VectorAnswer, _ right: VectorAnswer) -> Bool {
    func texts(_ answer: VectorAnswer) -> [String]? {
      guard case .list(let list) = answer else { return nil }
      let texts = list.compactMap { if case .text(let text) = $0 { text } else { nil } }
      return texts.count == list.count ? texts.sorted() : nil
    }
    guard let left = texts(left), let right = texts(right) else { return false }
    return left == right
  }
}

/// |x − y| ≤ max(abs, rel·|y|); `fields` gives a larger absolute tolerance for the fields it names.
struct VectorTolerance: Decodable {
  let abs: Double
  let rel: Double
  let fields: [String: Double]?

  func accepts(_ x: Double, _ y: Double, field: String) -> Bool {
    Swift.abs(x - y) <= max(fields?[field] ?? abs, rel * Swift.abs(y))
  }
}

extension VectorAnswer: ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByNilLiteral, ExpressibleByDictionaryLiteral, ExpressibleByStringLiteral
{
  init(floatLiteral value: Double) { self = .number(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(nilLiteral: ()) { self = .null }
  init(stringLiteral value: String) { self = .text(value) }
  init(dictionaryLiteral elements: (String, VectorAnswer)...) {
    self = .object(Dictionary(elements) { first, _ in first })
  }

  init(_ value: Double?) { self = value.map { .number($0) } ?? .null }
  init(_ value: Int) { self = .number(Double(value)) }
  init(_ value: Bool) { self = .bool(value) }
  init(_ values: [Double]) { self = .list(values.map { .number($0) }) }
  init(_ values: [Int]) { self = .list(values.map { .number(Double($0)) }) }
  init(_ values: [Double?]) { self = .list(values.map { VectorAnswer($0) }) }
}
