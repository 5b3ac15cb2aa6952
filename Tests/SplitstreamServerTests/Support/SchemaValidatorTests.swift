import Testing

@testable import SplitstreamServer

/// The checker of schemas is itself a claim: each keyword accepts what it should and refuses what
/// it should.
@Suite struct SchemaValidatorTests {
  static let cases: [(schema: String, fitting: [String], failing: [String])] = [
    (#"{"type":"object"}"#, ["{}"], ["[]", "null", "1"]),
    (#"{"type":["string","null"]}"#, ["\"a\"", "null"], ["1", "{}"]),
    (#"{"type":"integer"}"#, ["1", "1.0", "-5e3"], ["1.5", "\"1\"", "true"]),
    (#"{"type":"number"}"#, ["1", "1.5"], ["\"1\"", "null"]),
    (#"{"type":"boolean"}"#, ["true", "false"], ["0", "null"]),
    (#"{"enum":["a",1,null]}"#, ["\"a\"", "1.0", "null"], ["\"b\"", "2", "false"]),
    (#"{"const":{"a":[1]}}"#, [#"{"a":[1.0]}"#], [#"{"a":[1,2]}"#, #"{"a":[1],"b":0}"#, "{}"]),
    (#"{"minimum":0,"maximum":1}"#, ["0", "1", "0.5", "\"x\""], ["-0.1", "1.1"]),
    (#"{"exclusiveMinimum":0,"exclusiveMaximum":1}"#, ["0.5"], ["0", "1"]),
    (#"{"minLength":1,"maxLength":2}"#, ["\"a\"", "\"é😀\"", "1"], ["\"\"", "\"abc\""]),
    (
      #"{"pattern":"^[a-z0-9-]{1,4}$"}"#, ["\"a-1\"", "7"],
      ["\"\"", "\"A\"", "\"abcde\"", "\"a\\n\""]
    ),
    (
      #"{"format":"date-time"}"#,
      ["\"2026-01-31T23:59:59Z\"", "\"2024-02-29T00:00:00.123456+02:00\"", "null"],
      [
        "\"2026-02-29T00:00:00Z\"", "\"2026-13-01T00:00:00Z\"", "\"2026-01-01\"",
        "\"2026-01-01T24:00:00Z\"",
        "\"2026-01-01 00:00:00Z\"", "\"2026-01-01T00:00:00\"", "\"2026-04-31T00:00:00Z\"",
      ]
    ),
    (
      #"{"format":"uri"}"#, ["\"urn:a:b\"", "\"https://example.com/x\""], ["\"not-found\"", "\"\""]
    ),
    (
      #"{"items":{"type":"string"},"minItems":1,"maxItems":2}"#, ["[\"a\"]", "{}"],
      ["[]", "[1]", "[\"\",\"\",\"\"]"]
    ),
    (
      #"{"properties":{"a":{"type":"integer"}},"required":["a"]}"#,
      [#"{"a":1}"#, #"{"a":1,"b":2}"#, "[]"], ["{}", #"{"a":"x"}"#]
    ),
    (#"{"properties":{"a":{}},"additionalProperties":false}"#, ["{}", #"{"a":1}"#], [#"{"b":1}"#]),
    (#"{"additionalProperties":{"type":"integer"}}"#, [#"{"a":1}"#], [#"{"a":"x"}"#]),
    (#"{"additionalProperties":true}"#, [#"{"a":"x"}"#], []),
    (#"{"allOf":[{"type":"integer"},{"minimum":3}]}"#, ["3"], ["2", "3.5"]),
    (#"{"anyOf":[{"type":"integer"},{"minimum":3}]}"#, ["3", "1", "3.5"], ["2.5"]),
    (#"{"oneOf":[{"type":"integer"},{"minimum":3}]}"#, ["1", "3.5"], ["3", "2.5"]),
    (##"{"$ref":"#/$defs/positive","maximum":5}"##, ["1", "5"], ["0", "6"]),
    (##"{"$ref":"#/$defs/nothing"}"##, [], ["1"]),
    (#"{"description":"x","title":"x","default":1,"examples":[1]}"#, ["1", "{}"], []),
    (#"{"nullable":true}"#, [], ["1", "null"]),  // not a keyword of 2020-12
    (#"{"multipleOf":2}"#, [], ["2"]),  // one that is not checked here must not pass unnoticed
    (#"{"properties":{"a":{"minimums":1}}}"#, ["{}"], [#"{"a":1}"#]),
    (#"{"anyOf":[{"type":"integer"},{"uniqueItems":true}]}"#, [], ["1"]),
    (#"{"format":"uuid"}"#, [], ["\"x\""]),
    ("true", ["1"], []),
    ("false", [], ["1"]),
  ]

  @Test("a schema says what fits", arguments: cases)
  func schemas(schema: String, fitting: [String], failing: [String]) throws {
    let document = try JSONValue(
      text: "{\"$defs\":{\"positive\":{\"exclusiveMinimum\":0}},\"schema\":\(schema)}")
    let validator = SchemaValidator(document: document)
    let schema = try #require(document["schema"])
    for text in fitting {
      #expect(validator.violations(try JSONValue(text: text), against: schema) == [], "\(text)")
    }
    for text in failing {
      #expect(validator.violations(try JSONValue(text: text), against: schema) != [], "\(text)")
    }
  }

  @Test("a violation names its place")
  func places() throws {
    let schema = try JSONValue(
      text: #"{"properties":{"a":{"items":{"properties":{"b":{"type":"string"}}}}}}"#)
    let violations = SchemaValidator(document: schema)
      .violations(try JSONValue(text: #"{"a":[{},{"b":1}]}"#), against: schema, at: "body")
    #expect(violations == ["body/a/1/b: 1 is not of type string"])
  }
}
