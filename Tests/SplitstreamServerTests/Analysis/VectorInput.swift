@testable import SplitstreamServer

/// The `input` of a vector, read field by field; it remembers what was read.
///
/// A field that nobody read is a field that we would silently ignore, so the suite fails on it.
final class VectorInput {
  private let path: String
  private let fields: [String: VectorAnswer]
  private var unread: Set<String>
  private var children: [VectorInput] = []

  init(_ value: VectorAnswer, path: String = "input") throws {
    guard case .object(let fields) = value else { throw VectorProblem("\(path) is no object") }
    self.path = path
    self.fields = fields
    unread = Set(fields.keys)
  }

  /// Paths of fields that were given and not read, also in nested objects.
  var ignored: [String] {
    unread.sorted().map { "\(path).\($0)" } + children.flatMap(\.ignored)
  }

  /// The field's value; nil when it is absent or null.
  func value(_ name: String) -> VectorAnswer? {
    unread.remove(name)
    let value = fields[name]
    return value == .null ? nil : value
  }

  func double(_ name: String) throws -> Double { try Self.double(required(name), path(name)) }
  func double(_ name: String, default standard: Double) throws -> Double {
    try value(name).map { try Self.double($0, path(name)) } ?? standard
  }
  func int(_ name: String) throws -> Int { try Self.int(required(name), path(name)) }
  func int(_ name: String, default standard: Int) throws -> Int {
    try value(name).map { try Self.int($0, path(name)) } ?? standard
  }
  func bool(_ name: String, default standard: Bool) throws -> Bool {
    guard let value = value(name) else { return standard }
    guard case .bool(let flag) = value else { throw VectorProblem("\(path(name)) is no boolean") }
    return flag
  }
  func text(_ name: String) throws -> String {
    guard case .text(let text) = try required(name) else {
      throw VectorProblem("\(path(name)) is no string")
    }
    return text
  }
  func text(_ name: String, default standard: String) throws -> String {
    try value(name) == nil ? standard : text(name)
  }
  func list(_ name: String) throws -> [VectorAnswer] {
    try Self.list(required(name), path(name))
  }
  func doubles(_ name: String) throws -> [Double] {
    try list(name).map { try Self.double($0, path(name)) }
  }
  func ints(_ name: String) throws -> [Int] {
    try list(name).map { try Self.int($0, path(name)) }
  }
  func object(_ name: String) throws -> VectorInput { try child(required(name), path(name)) }
  func objects(_ name: String) throws -> [VectorInput] {
    try list(name).enumerated().map { try child($1, "\(path(name)).\($0)") }
  }
  /// The field as it is, for fields of free form; all of it counts as read.
  func required(_ name: String) throws -> VectorAnswer {
    guard let value = value(name) else { throw VectorProblem("\(path(name)) is missing") }
    return value
  }

  static func double(_ value: VectorAnswer, _ path: String) throws -> Double {
    guard case .number(let number) = value else { throw VectorProblem("\(path) is no number") }
    return number
  }
  static func int(_ value: VectorAnswer, _ path: String) throws -> Int {
    guard case .number(let number) = value, let whole = Int(exactly: number) else {
      throw VectorProblem("\(path) is no whole number")
    }
    return whole
  }
  static func list(_ value: VectorAnswer, _ path: String) throws -> [VectorAnswer] {
    guard case .list(let list) = value else { throw VectorProblem("\(path) is no list") }
    return list
  }

  private func path(_ name: String) -> String { "\(path).\(name)" }
  private func child(_ value: VectorAnswer, _ path: String) throws -> VectorInput {
    let child = try VectorInput(value, path: path)
    children.append(child)
    return child
  }
}

/// A vector that the suite cannot read.
struct VectorProblem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
