import Foundation

@testable import SplitstreamServer

/// Checks a JSON value against a JSON Schema: the part of 2020-12 that openapi.json uses.
///
/// A keyword that it does not know is a violation, so that nothing in a schema is silently left
/// unchecked.
struct SchemaValidator {
  /// The document that `$ref` points into.
  let document: JSONValue

  /// What is wrong with `value`, each with its place; empty when nothing is.
  func violations(_ value: JSONValue, against schema: JSONValue, at place: String = "") -> [String]
  {
    if let allowed = schema.bool { return allowed ? [] : ["\(place): nothing is allowed here"] }
    return schema.members.flatMap { keyword, argument in
      check(keyword, argument, of: schema, value, place)
    }
  }

  /// Keywords anywhere in `schema` that this does not check: none may go unnoticed for want of a
  /// value to check.
  static func unknownKeywords(in schema: JSONValue) -> [String] {
    schema.members.flatMap { keyword, argument -> [String] in
      switch keyword {
      case "properties": argument.members.flatMap { unknownKeywords(in: $0.value) }
      case "items", "additionalProperties": unknownKeywords(in: argument)
      case "allOf", "anyOf", "oneOf": argument.elements.flatMap(unknownKeywords)
      default: keywords.contains(keyword) ? [] : ["\(schema.pointer): \(keyword)"]
      }
    }
  }

  private static let keywords: Set = [
    "title", "description", "default", "examples", "$ref", "type", "enum", "const", "required",
    "format",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
    "pattern",
    "minItems", "maxItems",
  ]

  /// What `$ref` names.
  func resolve(_ reference: String) -> JSONValue? {
    guard reference.hasPrefix("#/") else { return nil }
    return reference.dropFirst(2).split(separator: "/").reduce(document) { value, token in
      let name = token.replacing("~1", with: "/").replacing("~0", with: "~")
      return value?[member: String(name)]
    }
  }

  private func check(
    _ keyword: String, _ argument: JSONValue, of schema: JSONValue, _ value: JSONValue,
    _ place: String
  ) -> [String] {
    switch keyword {
    case "title", "description", "default", "examples":
      return []
    case "$ref":
      guard let target = argument.string.flatMap(resolve) else {
        return ["\(place): the schema refers to nothing"]
      }
      return violations(value, against: target, at: place)
    case "type", "enum", "const":
      return checkIdentity(keyword, argument, value, place)
    case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
      return checkNumber(keyword, argument, value, place)
    case "minLength", "maxLength", "pattern", "format":
      return checkString(keyword, argument, value, place)
    case "items", "minItems", "maxItems":
      return checkArray(keyword, argument, value, place)
    case "properties", "required", "additionalProperties":
      return checkObject(keyword, argument, of: schema, value, place)
    case "allOf", "anyOf", "oneOf":
      return checkCombination(keyword, argument, value, place)
    default:
      return ["\(place): the schema's keyword \"\(keyword)\" is not one that this test checks"]
    }
  }
}

// MARK: Keywords for every kind of value
extension SchemaValidator {
  private func checkIdentity(
    _ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ place: String
  ) -> [String] {
    switch keyword {
    case "type":
      let names = argument.string.map { [$0] } ?? argument.elements.compactMap(\.string)
      return names.contains { isType($0, value) }
        ? [] : ["\(place): \(text(value)) is not of type \(names.joined(separator: " or "))"]
    case "enum":
      return argument.elements.contains { isEqual($0, value) }
        ? [] : ["\(place): \(text(value)) is not one of \(text(argument))"]
    default:
      return isEqual(argument, value) ? [] : ["\(place): \(text(value)) is not \(text(argument))"]
    }
  }

  private func checkCombination(
    _ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ place: String
  ) -> [String] {
    let outcomes = argument.elements.map { violations(value, against: $0, at: place) }
    let fitting = outcomes.count { $0.isEmpty }
    let unknown = outcomes.joined().filter { $0.contains("the schema") }
    switch keyword {
    case "allOf": return Array(outcomes.joined())
    case "anyOf" where fitting >= 1, "oneOf" where fitting == 1: return unknown
    default:
      return ["\(place): \(text(value)) fits \(fitting) of the schemas in \(keyword)"]
        + outcomes.joined()
    }
  }

  private func isType(_ name: String, _ value: JSONValue) -> Bool {
    switch name {
    case "object": value.kind == .object
    case "array": value.kind == .array
    case "string": value.kind == .string
    case "number": value.kind == .number
    case "boolean": value.kind == .bool
    case "null": value.isNull
    case "integer": value.integer != nil
    default: false
    }
  }

  private func isEqual(_ one: JSONValue, _ other: JSONValue) -> Bool {
    guard one.kind == other.kind else { return false }
    switch one.kind {
    case .object:
      return one.members.count == other.members.count
        && one.members.allSatisfy { name, value in
          other[member: name].map { isEqual(value, $0) } ?? false
        }
    case .array:
      return one.elements.count == other.elements.count
        && zip(one.elements, other.elements).allSatisfy(isEqual)
    case .string: return one.stringBytes == other.stringBytes
    case .number: return one.double == other.double
    case .bool: return one.bool == other.bool
    case .null: return true
    }
  }

  private func text(_ value: JSONValue) -> String {
    String(decoding: value.source.prefix(200), as: UTF8.self)
  }
}

// MARK: Keywords for one kind of value, which say nothing of the others
extension SchemaValidator {
  private func checkNumber(
    _ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ place: String
  ) -> [String] {
    guard let limit = argument.double else {
      return ["\(place): the schema's \(keyword) is no number"]
    }
    guard let number = value.double else { return [] }
    let fits =
      switch keyword {
      case "minimum": number >= limit
      case "maximum": number <= limit
      case "exclusiveMinimum": number > limit
      default: number < limit
      }
    return fits ? [] : ["\(place): \(text(value)) against \(keyword) \(text(argument))"]
  }

  private func checkString(
    _ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ place: String
  ) -> [String] {
    guard let string = value.string else { return [] }
    let length = string.unicodeScalars.count
    let fits: Bool
    switch (keyword, argument.integer, argument.string) {
    case ("minLength", let limit?, _): fits = length >= limit
    case ("maxLength", let limit?, _): fits = length <= limit
    case ("pattern", _, let pattern?): fits = matches(string, pattern)
    case ("format", _, "date-time"): fits = RFC3339.isDateTime(string)
    case ("format", _, "uri"): fits = URL(string: string)?.scheme != nil
    default: return ["\(place): the schema's \(keyword) \(text(argument)) is not known"]
    }
    return fits ? [] : ["\(place): \(text(value)) against \(keyword) \(text(argument))"]
  }

  private func matches(_ string: String, _ pattern: String) -> Bool {
    // In ECMA-262 "$" is the very end; here it would also stand before a last line break.
    let strict = pattern.hasSuffix("$") ? pattern.dropLast() + "\\z" : pattern[...]
    guard let expression = try? NSRegularExpression(pattern: String(strict)) else { return false }
    let range = NSRange(string.startIndex..., in: string)
    return expression.firstMatch(in: string, range: range) != nil
  }

  private func checkArray(
    _ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ place: String
  ) -> [String] {
    guard value.kind == .array else { return [] }
    if keyword == "items" {
      return value.elements.enumerated().flatMap { index, element in
        violations(element, against: argument, at: "\(place)/\(index)")
      }
    }
    let count = value.elements.count
    guard let limit = argument.integer else {
      return ["\(place): the schema's \(keyword) is no integer"]
    }
    let fits = keyword == "minItems" ? count >= limit : count <= limit
    return fits ? [] : ["\(place): \(count) elements against \(keyword) \(limit)"]
  }

  private func checkObject(
    _ keyword: String, _ argument: JSONValue, of schema: JSONValue, _ value: JSONValue,
    _ place: String
  ) -> [String] {
    guard value.kind == .object else { return [] }
    switch keyword {
    case "properties":
      return argument.members.flatMap { name, inner in
        value[member: name].map { violations($0, against: inner, at: "\(place)/\(name)") } ?? []
      }
    case "required":
      return argument.elements.compactMap(\.string).filter { value[member: $0] == nil }
        .map { "\(place): \($0) is missing" }
    default:
      return value.members.filter { schema["properties"]?[member: $0.key] == nil }
        .flatMap { violations($0.value, against: argument, at: "\(place)/\($0.key)") }
    }
  }
}

/// The timestamps of RFC 3339 §5.6, with a calendar that has no 30 February.
enum RFC3339 {
  static func isDateTime(_ text: String) -> Bool {
    let form =
      #/
      (\d{4})-(\d\d)-(\d\d) [Tt]
      (?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?
      (?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)
      /#
      .asciiOnlyDigits()
    guard let match = text.wholeMatch(of: form), let year = Int(match.1), let month = Int(match.2),
      let day = Int(match.3), (1...12).contains(month)
    else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...days[month - 1]).contains(day)
  }
}
