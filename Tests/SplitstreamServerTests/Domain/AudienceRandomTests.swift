import Testing

@testable import SplitstreamServer

/// The compiled form admits whom the rules admit: random trees and contexts against a second
/// reading of the rules.
@Suite struct AudienceRandomTests {
  @Test("compiled and naive evaluation agree", arguments: 0..<8)
  func agreement(seed: UInt64) throws {
    var generator = AudienceGenerator(random: SplitMix64(seed: seed))
    var admitted = 0
    for _ in 0..<400 {
      let tree = try JSONValue(text: generator.tree(levels: 6))
      let audience = try AudienceParser.parse(tree).get()
      let program = AudienceProgram(audience.expression)
      for _ in 0..<5 {
        let context = try JSONValue(text: generator.context())
        let expected = try AudienceReference.admits(tree, context)
        admitted += expected ? 1 : 0
        #expect(
          program.admits(context) == expected,
          "\(Self.text(tree)) on \(Self.text(context))"
        )
      }
    }
    // Neither answer is rare, so that agreement says something.
    #expect((400...1600).contains(admitted))
  }

  private static func text(_ value: JSONValue) -> String {
    String(decoding: value.source, as: UTF8.self)
  }
}

/// Writes trees and contexts over few names and values, so that they often meet.
private struct AudienceGenerator {
  var random: SplitMix64

  private static let attributes = ["a", "b", "c.d", "c.e", "none", "c"]
  private static let scalars = [
    "1", "1.0", "2", "-3.5", "1e2", "12345678901234567890.5", #""a""#, #""ab""#, #""\u00e9""#,
    #""é""#,
    #""1""#, #""""#, "true", "false", #""1.2.3""#, #""1.2.3-rc.1""#, #""1.2.3-rc.11""#,
    #""1.10.0+b""#,
    #""2026-03-02T00:00:00Z""#, #""2026-03-02T01:00:00+02:00""#,
  ]
  private static let numbers = ["1", "1.00", "2", "-3.5", "100", "12345678901234567890.6"]
  private static let texts = [#""a""#, #""b""#, #""ab""#, #""é""#, #""""#, #""1.""#]
  private static let patterns = [#""^a""#, #""b$""#, #""[0-9]+""#, #""^(a|b)+$""#, #"".é?""#]
  private static let versions = [#""1.2.3""#, #""1.2.3-rc.2""#, #""1.10.0""#, #""0.0.1-a""#]
  private static let times = [#""2026-03-02T00:00:00Z""#, #""2026-03-01T23:30:00Z""#]

  private mutating func pick<T>(_ choices: [T]) -> T {
    choices[Int.random(in: 0..<choices.count, using: &random)]
  }

  mutating func tree(levels: Int) -> String {
    if levels == 1 || Int.random(in: 0..<3, using: &random) == 0 { return test() }
    let name = pick(["and", "or", "not"])
    let count = name == "not" ? 1 : Int.random(in: 1...2, using: &random)
    let operands = (0..<count).map { _ in tree(levels: levels - 1) }.joined(separator: ",")
    return #"{"operator":"\#(name)","operands":[\#(operands)]}"#
  }

  private mutating func test() -> String {
    let op = pick(AudienceOperator.allCases)
    let value: String? =
      switch op {
      case .exists, .doesNotExist: nil
      case .isIn, .isNotIn: "[\(pick(Self.scalars)),\(pick(Self.scalars)),\(pick(Self.scalars))]"
      case .greater, .greaterOrEqual, .less, .lessOrEqual: pick(Self.numbers)
      case .startsWith, .endsWith: pick(Self.texts)
      case .matches: pick(Self.patterns)
      case .versionEqual, .versionGreater, .versionGreaterOrEqual, .versionLess,
        .versionLessOrEqual:
        pick(Self.versions)
      case .before, .after: pick(Self.times)
      case .equal, .notEqual, .contains, .doesNotContain: pick(Self.scalars)
      }
    let member = value.map { #","value":\#($0)"# } ?? ""
    return #"{"attribute":"\#(pick(Self.attributes))","op":"\#(op.rawValue)"\#(member)}"#
  }

  mutating func context() -> String {
    func member(_ name: String, _ value: String?) -> [String] {
      value.map { [#""\#(name)":\#($0)"#] } ?? []
    }
    let inner = member("d", value()) + member("e", value())
    let members =
      member("a", value()) + member("b", value()) + [#""c":{\#(inner.joined(separator: ","))}"#]
    return "{\(members.joined(separator: ","))}"
  }

  private mutating func value() -> String? {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: nil
    case 1: "null"
    case 2: "[\(pick(Self.scalars)),\(pick(Self.scalars))]"
    default: pick(Self.scalars)
    }
  }
}
