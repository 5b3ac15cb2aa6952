import Testing

@testable import SplitstreamServer

/// Every operator, with what fits, what does not, what is of another type and what is missing.
@Suite struct AudienceTableTests {
  private func admits(_ expression: String, _ context: String?) throws -> Bool {
    let audience = try AudienceParser.parse(try JSONValue(text: expression)).get()
    return AudienceProgram(audience.expression).admits(try context.map { try JSONValue(text: $0) })
  }

  /// Conditions on the attribute `a`, each with values that satisfy it and values that do not.
  static let conditions: [(condition: String, holds: [String], fails: [String])] = [
    (
      #""op":"eq","value":"pro""#, [#""pro""#, #""p\u0072o""#],
      [#""Pro""#, #""pro ""#, #""""#, "1", "true", #"["pro"]"#]
    ),
    (
      #""op":"eq","value":1"#, ["1", "1.0", "10e-1", "1E0", "0.1e1"],
      [#""1""#, "1.0000000000000000000000001", "-1", "true", "[1]", "{}"]
    ),
    (
      #""op":"eq","value":9007199254740993"#,
      ["9007199254740993", "9007199254740993.000", "90071992547409930e-1"],
      ["9007199254740992", "9007199254740994", "9007199254740993.01"]
    ),
    (
      #""op":"eq","value":0"#, ["0", "-0", "0.000", "0e9"], ["1e-400", "-1e-400", "false", #""""#]
    ),
    (#""op":"eq","value":true"#, ["true"], ["false", "1", #""true""#]),
    (#""op":"eq","value":false"#, ["false"], ["true", "0", #""""#]),
    (#""op":"eq","value":"é""#, [#""\u00e9""#], [#""e\u0301""#]),
    (#""op":"neq","value":"pro""#, [#""Pro""#, "1", "[]", "{}", "true"], [#""pro""#]),
    (
      #""op":"in","value":["pro","team",7,true]"#, [#""pro""#, #""team""#, "7", "7.0", "true"],
      [#""free""#, #""7""#, "8", "false", #"["pro"]"#, #""""#]
    ),
    (
      #""op":"not_in","value":["pro",7]"#, [#""free""#, #""7""#, "8", "[]"],
      [#""pro""#, "7", "70e-1"]
    ),
    (
      #""op":"gt","value":10"#, ["10.000000000000000000001", "11", "1e99"],
      ["10", "9.9", "-11", #""11""#, "true", "[11]"]
    ),
    (
      #""op":"gte","value":10"#, ["10", "10.0", "1e1", "11"],
      ["9.999999999999999999999", "-10", #""10""#]
    ),
    (
      #""op":"lt","value":-1.5"#, ["-1.50000000000000000001", "-2", "-1e9"],
      ["-1.5", "-1.4", "0", "2", #""-2""#, "false"]
    ),
    (#""op":"lte","value":-1.5"#, ["-1.5", "-1.500", "-15e-1", "-2"], ["-1.49", "0", #""-2""#]),
    (
      #""op":"contains","value":"ab""#, [#""ab""#, #""xaabx""#, #"["ab"]"#, #"[1,"ab"]"#],
      [#""a b""#, #""AB""#, #"["xab"]"#, "[[\"ab\"]]", "1", "true", #"{"ab":1}"#]
    ),
    (#""op":"contains","value":7"#, ["[7]", "[1,7.0]"], ["7", #""7""#, #"["7"]"#, "[]"]),
    (#""op":"contains","value":true"#, ["[true]"], ["true", "[1]", #"["true"]"#]),
    (#""op":"contains","value":"""#, [#""""#, #""x""#, #"[""]"#], ["[]", "1"]),
    (
      #""op":"not_contains","value":"ab""#, [#""a b""#, "1", "[]", "true"], [#""ab""#, #"["ab"]"#]
    ),
    (
      #""op":"starts_with","value":"de-""#, [#""de-""#, #""de-AT""#],
      [#""de""#, #""DE-AT""#, #""x de-""#, #"["de-"]"#, "1"]
    ),
    (
      #""op":"ends_with","value":".org""#, [#""a.org""#, #"".org""#],
      [#""org""#, #""a.ORG""#, #""a.org ""#, "1"]
    ),
    (#""op":"exists""#, ["0", "false", #""""#, "[]", "{}"], []),
    (#""op":"exists","value":true"#, ["0"], []),
    (#""op":"not_exists""#, [], ["0", "false", #""""#, "[]", "{}"]),
    (
      #""op":"matches","value":"^a+b?$""#, [#""a""#, #""aab""#],
      [#""b""#, #""abb""#, #""A""#, "1", #"["a"]"#]
    ),
    (#""op":"matches","value":"b""#, [#""abc""#], [#""aBc""#]),
    (
      #""op":"semver_eq","value":"1.2.3""#, [#""1.2.3""#, #""1.2.3+build.7""#],
      [#""1.2.3-rc.1""#, #""1.2""#, #""v1.2.3""#, #""01.2.3""#, "1"]
    ),
    (
      #""op":"semver_gt","value":"1.0.0-alpha.9""#,
      [#""1.0.0-alpha.10""#, #""1.0.0-alpha.beta""#, #""1.0.0""#, #""1.0.0-alpha.9.0""#],
      [#""1.0.0-alpha.9""#, #""1.0.0-alpha""#, #""1.0.0-1""#, #""0.9.9""#, #""1.0""#, "2"]
    ),
    (
      #""op":"semver_gte","value":"2.10.0""#,
      [#""2.10.0""#, #""2.10.0+x""#, #""2.11.0-a""#, #""10.0.0""#],
      [#""2.9.9""#, #""2.10.0-rc""#, #""2.10""#]
    ),
    (
      #""op":"semver_lt","value":"1.0.0""#, [#""1.0.0-rc.1""#, #""0.99.99""#],
      [#""1.0.0""#, #""1.0.0+z""#, #""""#, #""x""#]
    ),
    (
      #""op":"semver_lte","value":"1.0.0""#, [#""1.0.0""#, #""1.0.0-0""#], [#""1.0.1-0""#, #""1""#]
    ),
    (
      #""op":"before","value":"2026-03-02T00:00:00Z""#,
      [#""2026-03-01T23:59:59.999999Z""#, #""2026-03-02T00:30:00+01:00""#],
      [#""2026-03-02T00:00:00Z""#, #""2026-03-02""#, #""2026-02-30T00:00:00Z""#, "0", #""""#]
    ),
    (
      #""op":"after","value":"2026-03-02T00:00:00Z""#,
      [#""2026-03-02T00:00:00.000001Z""#, #""2026-03-01T23:30:00-01:00""#],
      [#""2026-03-02T00:00:00Z""#, #""later""#, "99999999999"]
    ),
  ]

  @Test("each condition holds where it should", arguments: 0..<conditions.count)
  func table(index: Int) throws {
    let (condition, holds, fails) = Self.conditions[index]
    let test = #"{"attribute":"a",\#(condition)}"#
    let nested = #"{"attribute":"u.v.a",\#(condition)}"#
    for (values, expected) in [(holds, true), (fails, false)] {
      for value in values {
        #expect(try admits(test, #"{"b":[{"a":0}],"a":\#(value)}"#) == expected, "\(value)")
        #expect(try admits(nested, #"{"u":{"v":{"a":\#(value)}}}"#) == expected, "\(value)")
        #expect(
          try admits(#"{"operator":"not","operands":[\#(test)]}"#, #"{"a":\#(value)}"#) != expected)
      }
    }
  }

  @Test(
    "what is missing or null satisfies the negated operators only", arguments: 0..<conditions.count)
  func missing(index: Int) throws {
    let condition = Self.conditions[index].condition
    let isNegated = ["neq", "not_in", "not_contains", "not_exists"].contains {
      condition.hasPrefix(#""op":"\#($0)""#)
    }
    for context in [nil, "{}", #"{"a":null}"#, #"{"A":1}"#, #"{"b":{"a":1}}"#] as [String?] {
      #expect(try admits(#"{"attribute":"a",\#(condition)}"#, context) == isNegated)
    }
    for context in [#"{"u":1}"#, #"{"u":[{"v":1}]}"#, #"{"u":{"v":null}}"#, #"{"u.v":"pro"}"#] {
      #expect(try admits(#"{"attribute":"u.v",\#(condition)}"#, context) == isNegated)
    }
  }

  @Test("every operator is in the table")
  func complete() {
    let used = Set(Self.conditions.map { $0.condition.split(separator: "\"")[2] })
    #expect(used == Set(AudienceOperator.allCases.map { Substring($0.rawValue) }))
  }

  @Test(
    "operators join as they should",
    arguments: [
      ("and", [true], true), ("and", [true, true, true], true),
      ("and", [true, false, true], false),
      ("or", [false], false), ("or", [false, false, true], true), ("or", [false, false], false),
    ])
  func operators(name: String, values: [Bool], expected: Bool) throws {
    let operands = values.map { #"{"attribute":"a","op":"eq","value":\#($0)}"# }
    let tree = #"{"operator":"\#(name)","operands":[\#(operands.joined(separator: ","))]}"#
    #expect(try admits(tree, #"{"a":true}"#) == expected)
    #expect(try admits(#"{"operator":"not","operands":[\#(tree)]}"#, #"{"a":true}"#) != expected)
  }

  @Test("versions come in the order of the specification's own example")
  func precedence() throws {
    let versions = [
      "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
      "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "2.0.0", "2.1.0", "2.1.1",
      "2.1.99999999999999999999998", "2.1.99999999999999999999999",
    ]
    for (lower, left) in versions.enumerated() {
      for (higher, right) in versions.enumerated() {
        for (op, expected) in [
          ("gt", lower > higher), ("gte", lower >= higher), ("lt", lower < higher),
          ("lte", lower <= higher), ("eq", lower == higher),
        ] {
          let test = #"{"attribute":"v","op":"semver_\#(op)","value":"\#(right)"}"#
          #expect(try admits(test, #"{"v":"\#(left)"}"#) == expected, "\(left) \(op) \(right)")
        }
      }
    }
  }

  @Test(
    "what is no version is none",
    arguments: [
      "", "1", "1.2", "1.2.3.4", "1.2.3-", "1.2.3+", "1.2.3-a..b", "1.2.3-01", "1.2.3-é",
      "1.2.3+a+b",
      "-1.2.3", "1.2.3 ", "1.02.3", "1.2.3-a_b", "٣.2.1",
    ])
  func notVersions(text: String) {
    #expect(SemanticVersion(Array(text.utf8).span) == nil)
  }

  @Test(
    "what is a version is one",
    arguments: ["0.0.0", "1.2.3--1", "1.2.3-0a.1", "1.2.3+001.-", "1.0.0-a+b-c.7"])
  func versions(text: String) {
    #expect(SemanticVersion(Array(text.utf8).span) != nil)
  }

  @Test("a segment stands for its expression, and admits nobody while it is unknown")
  func segments() throws {
    let tree = #"{"operator":"or","operands":[{"segment":"s"},{"attribute":"b","op":"exists"}]}"#
    let outer = try AudienceParser.parse(try JSONValue(text: tree)).get().expression
    let inner = try AudienceParser.parse(
      try JSONValue(text: #"{"attribute":"a","op":"neq","value":1}"#), mayNameSegments: false
    ).get().expression
    for (segments, context, expected) in [
      (["s": inner], "{}", true), (["s": inner], #"{"a":1}"#, false),
      (["s": inner], #"{"a":1,"b":1}"#, true), ([:], "{}", false), ([:], #"{"b":1}"#, true),
    ] {
      #expect(
        AudienceProgram(outer, segments: segments).admits(try JSONValue(text: context)) == expected)
    }
  }
}
