import Testing

@testable import SplitstreamServer

/// A wrong audience is a wrong experiment: every mistake is named, with its place.
@Suite struct AudienceParserTests {
  private func pointers(_ expression: String, mayNameSegments: Bool = true) throws -> [String] {
    let result = AudienceParser.parse(
      try JSONValue(text: expression), at: "/audience", mayNameSegments: mayNameSegments)
    guard case .failure(let error) = result else { return [] }
    #expect(!error.problems.isEmpty)
    return error.problems.map(\.pointer).sorted()
  }

  @Test(
    "every mistake has its place",
    arguments: [
      ("1", [""]), ("[]", [""]), ("{}", [""]), (#"{"value":1}"#, [""]), (#""pro""#, [""]),
      (#"{"operator":"xor","operands":[{}]}"#, ["/operands/0", "/operator"]),
      (#"{"operator":"AND","operands":[]}"#, ["/operands", "/operator"]),
      (#"{"operator":null}"#, ["/operands", "/operator"]),
      (#"{"operator":"and","operands":{}}"#, ["/operands"]),
      (
        #"{"operator":"or","operands":[1,null,"x"]}"#,
        ["/operands/0", "/operands/1", "/operands/2"]
      ),
      (#"{"operator":"not","operands":[{"segment":"a"},{"segment":"b"}]}"#, ["/operands"]),
      (#"{"operator":"and","operands":[{"segment":"a"}],"op":"eq","a/b~":1}"#, ["/a~1b~0", "/op"]),
      (#"{"attribute":"a"}"#, ["/op"]), (#"{"op":"eq","value":1}"#, ["/attribute"]),
      (#"{"attribute":"","op":"eq","value":1}"#, ["/attribute"]),
      (#"{"attribute":"a..b","op":"eq","value":1}"#, ["/attribute"]),
      (#"{"attribute":".a","op":"eq","value":1}"#, ["/attribute"]),
      (#"{"attribute":7,"op":"like","value":1}"#, ["/attribute", "/op"]),
      (#"{"attribute":"a","op":"EQ","value":1}"#, ["/op"]),
      (#"{"attribute":"a","op":"eq","value":1,"note":"x"}"#, ["/note"]),
      (#"{"segment":"UPPER"}"#, ["/segment"]), (#"{"segment":7}"#, ["/segment"]),
      (#"{"segment":"s","op":"eq"}"#, ["/op"]),
      (
        #"""
        {"operator":"and","operands":[{"attribute":"a","op":"gt","value":"1"},
        {"operator":"or","operands":[{"attribute":"b","op":"in","value":[1,null,{}]}]}]}
        """#,
        ["/operands/0/value", "/operands/1/operands/0/value/1"]
      ),
    ])
  func places(expression: String, expected: [String]) throws {
    #expect(try pointers(expression) == expected.map { "/audience" + $0 })
  }

  @Test(
    "a value of the wrong type for its operator",
    arguments: [
      ("eq", ["null", "[]", "{}"]), ("neq", ["null", #"["a"]"#]),
      ("in", ["[]", "1", #""a""#, "{}", "null"]), ("not_in", ["[]", "true"]),
      ("gt", [#""1""#, "true", "null", "[1]", "1e1000001"]), ("gte", [#""1""#]), ("lt", ["{}"]),
      ("lte", ["false"]), ("contains", ["null", "{}", "[]"]), ("not_contains", ["null"]),
      ("starts_with", ["1", "null"]), ("ends_with", ["true"]), ("exists", ["1", #""x""#, "false"]),
      ("not_exists", ["false", "[]"]), ("matches", ["1", #""(""#, #""a{2,1}""#, #""\\p{L}""#]),
      ("semver_eq", ["1", #""1.2""#, #""v1.2.3""#]), ("semver_gt", ["null"]),
      ("semver_gte", [#""""#]), ("semver_lt", [#""1.2.3.4""#]), ("semver_lte", [#""01.0.0""#]),
      ("before", ["1767225600", #""2026-03-02""#]),
      ("after", [#""2026-02-29T00:00:00Z""#, "null"]),
    ])
  func values(op: String, wrong: [String]) throws {
    for value in wrong {
      let expression = #"{"attribute":"a","op":"\#(op)","value":\#(value)}"#
      #expect(try pointers(expression) == ["/audience/value"], "\(expression)")
    }
    if op != "exists" && op != "not_exists" {
      #expect(try pointers(#"{"attribute":"a","op":"\#(op)"}"#) == ["/audience/value"])
    }
  }

  private func nested(_ levels: Int) -> String {
    let leaf = #"{"attribute":"a","op":"exists"}"#
    return (1..<levels).reduce(leaf) { inner, _ in #"{"operator":"not","operands":[\#(inner)]}"# }
  }

  private func wide(_ nodes: Int) -> String {
    let leaves = Array(repeating: #"{"attribute":"a","op":"exists"}"#, count: nodes - 1)
    return #"{"operator":"or","operands":[\#(leaves.joined(separator: ","))]}"#
  }

  @Test("8 levels and 256 nodes are taken, and no more")
  func limits() throws {
    #expect(try pointers(nested(8)) == [])
    #expect(
      try pointers(nested(9)) == ["/audience" + String(repeating: "/operands/0", count: 8)])
    #expect(try pointers(wide(256)) == [])
    #expect(try pointers(wide(257)) == ["/audience"])
    #expect(try pointers(wide(100_000)) == ["/audience"])
  }

  @Test("at most 16 segments, and none in a segment")
  func segments() throws {
    func tree(_ count: Int) -> String {
      let leaves = (0..<count).map { #"{"segment":"s\#($0)"}"# }
      return #"{"operator":"or","operands":[\#(leaves.joined(separator: ","))]}"#
    }
    #expect(try pointers(tree(16)) == [])
    #expect(try pointers(tree(17)) == ["/audience"])
    #expect(try pointers(#"{"segment":"s"}"#, mayNameSegments: false) == ["/audience/segment"])
    let parsed = try AudienceParser.parse(try JSONValue(text: tree(2))).get()
    #expect(
      parsed.expression.segments(at: "/audience").map(\.pointer)
        == ["/audience/operands/0/segment", "/audience/operands/1/segment"])
  }

  @Test("long texts and long lists are refused")
  func lengths() throws {
    func text(_ count: Int) -> String { "\"\(String(repeating: "x", count: count))\"" }
    for (op, value, isTaken) in [
      ("eq", text(1024), true), ("eq", text(1025), false), ("matches", text(256), true),
      ("matches", text(257), false), ("starts_with", text(1025), false),
      ("in", "[\(Array(repeating: "1", count: 10_000).joined(separator: ","))]", true),
      ("in", "[\(Array(repeating: "1", count: 10_001).joined(separator: ","))]", false),
    ] {
      let found = try pointers(#"{"attribute":"a","op":"\#(op)","value":\#(value)}"#)
      #expect(found == (isTaken ? [] : ["/audience/value"]), "\(op)")
    }
    #expect(try pointers(#"{"attribute":\#(text(256)),"op":"exists"}"#) == [])
    #expect(try pointers(#"{"attribute":\#(text(257)),"op":"exists"}"#) == ["/audience/attribute"])
  }

  @Test("equal is what means the same; what was given is kept as it was")
  func equality() throws {
    let texts = [
      #"{"attribute":"plan","op":"in","value":["é",1]}"#,
      #"{ "op" : "in", "value" : [1.0, "\u00e9", 1], "attribute" : "plan" }"#,
    ]
    let audiences = try texts.map { try AudienceParser.parse(try JSONValue(text: $0)).get() }
    #expect(audiences[0] == audiences[1])
    #expect(audiences.map { String(decoding: $0.source, as: UTF8.self) } == texts)
    let other = try AudienceParser.parse(
      try JSONValue(text: #"{"attribute":"plan","op":"in","value":["e\u0301",1]}"#)
    ).get()
    #expect(other != audiences[0])
  }
}
