import Foundation

@testable import SplitstreamServer

/// The rules of audiences once more, written for no other use than to be compared with: straight
/// from the JSON, without a compiled form, with Foundation's numbers, patterns and dates.
enum AudienceReference {
  static func admits(_ node: JSONValue, _ context: JSONValue) throws -> Bool {
    if let name = node["operator"]?.string {
      let values = try (node["operands"].map { Array($0.elements) } ?? []).map {
        try admits($0, context)
      }
      switch name {
      case "and": return !values.contains(false)
      case "or": return values.contains(true)
      default: return !values[0]
      }
    }
    let op = node["op"]?.string ?? ""
    var attribute: JSONValue? = context
    for name in (node["attribute"]?.string ?? "").components(separatedBy: ".") {
      attribute = attribute?.members.first { Array($0.key.utf8) == Array(name.utf8) }?.value
    }
    guard let attribute, !attribute.isNull else {
      return ["neq", "not_in", "not_contains", "not_exists"].contains(op)
    }
    return try holds(op, attribute, node["value"])
  }

  private static func holds(_ op: String, _ attribute: JSONValue, _ value: JSONValue?) throws
    -> Bool
  {
    guard let value else { return op == "exists" }
    switch op {
    case "eq": return isSame(attribute, value)
    case "neq": return !isSame(attribute, value)
    case "in": return value.elements.contains { isSame(attribute, $0) }
    case "not_in": return !value.elements.contains { isSame(attribute, $0) }
    case "gt", "gte", "lt", "lte":
      guard let left = number(attribute), let right = number(value) else { return false }
      return op == "gt"
        ? left > right : op == "gte" ? left >= right : op == "lt" ? left < right : left <= right
    case "contains": return contains(attribute, value)
    case "not_contains": return !contains(attribute, value)
    case "matches":
      guard let text = attribute.string, let pattern = value.string else { return false }
      return text.range(of: pattern, options: .regularExpression) != nil
    case "before", "after":
      guard let left = date(attribute), let right = date(value) else { return false }
      return op == "before" ? left < right : left > right
    default:
      guard let left = attribute.string, let right = value.string else { return false }
      let (text, part) = (Array(left.utf8), Array(right.utf8))
      switch op {
      case "starts_with": return text.starts(with: part)
      case "ends_with": return text.reversed().starts(with: part.reversed())
      default: return versions(op, left, right)
      }
    }
  }

  private static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
    switch (left.kind, right.kind) {
    case (.string, .string): left.stringBytes.map(Array.init) == right.stringBytes.map(Array.init)
    case (.number, .number): number(left) == number(right)
    case (.bool, .bool): left.bool == right.bool
    default: false
    }
  }

  private static func contains(_ attribute: JSONValue, _ value: JSONValue) -> Bool {
    if attribute.kind == .array { return attribute.elements.contains { isSame($0, value) } }
    guard let text = attribute.stringBytes, let part = value.stringBytes else { return false }
    return (0...text.count).contains { text.dropFirst($0).starts(with: part) }
  }

  private static func number(_ value: JSONValue) -> Decimal? {
    guard value.kind == .number else { return nil }
    return Decimal(string: String(decoding: value.source, as: UTF8.self))
  }

  private static func date(_ value: JSONValue) -> Date? {
    value.string.flatMap { ISO8601DateFormatter().date(from: $0) }
  }

  /// Versions whose core is three small numbers, which is all that the random contexts have.
  private static func versions(_ op: String, _ left: String, _ right: String) -> Bool {
    guard let left = version(left), let right = version(right) else { return false }
    let order =
      left.core == right.core
      ? preRelease(left.rest, right.rest)
      : (left.core.lexicographicallyPrecedes(right.core) ? -1 : 1)
    switch op {
    case "semver_eq": return order == 0
    case "semver_gt": return order > 0
    case "semver_gte": return order >= 0
    case "semver_lt": return order < 0
    default: return order <= 0
    }
  }

  private static func version(_ text: String) -> (core: [Int], rest: [String])? {
    let expression = #/^(\d+)\.(\d+)\.(\d+)(?:-([a-z0-9.]+))?(?:\+[a-z0-9]+)?$/#
    guard let match = text.wholeMatch(of: expression) else { return nil }
    let core = [match.1, match.2, match.3].compactMap { Int($0) }
    return (core, match.4.map { $0.split(separator: ".").map(String.init) } ?? [])
  }

  private static func preRelease(_ left: [String], _ right: [String]) -> Int {
    if left.isEmpty || right.isEmpty {
      return left.count == right.count ? 0 : left.isEmpty ? 1 : -1
    }
    for (a, b) in zip(left, right) where a != b {
      switch (Int(a), Int(b)) {
      case (let x?, let y?): return x < y ? -1 : 1
      case (_?, nil): return -1
      case (nil, _?): return 1
      case (nil, nil): return a < b ? -1 : 1
      }
    }
    return left.count - right.count
  }
}
