import Testing

@testable import SplitstreamServer

/// What is a JSON text and what is not (RFC 8259 §2–§8), with the stricter choices that
/// `JSONParser` names.
@Suite struct JSONGrammarTests {
  static let accepted: [String] = [
    "{}", "[]", "\"\"", "0", "-0", "null", "true", "false",  // a text may be any value
    " \t\r\n[ \t\r\n] \t\r\n", "[1 , 2]", "{ \"a\" : 1 , \"b\" : 2 }",
    "[[[[]]]]", "[{},{}]", "{\"a\":{\"b\":[{\"c\":null}]}}", "[\"a\",1,true,null,{},[]]",
    "1", "-1", "10", "0.5", "-0.0", "1.25e10", "1E5", "1e+5", "1e-5", "0e0", "0e999999999999999999",
    "123456789012345678901234567890", "1e400", "0.000000000000000000000000000001",
    "\"plain\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u00e9\\u00E9\"", "\"\\ud83d\\ude00\"",
    "\"é 漢字 😀 \u{7F}\"", "\"\u{FFFF}\u{10FFFF}\"", "\"\u{2028}\"", "\"\\u0001\"",
    "{\"\":0}", "{\"a\":1,\"A\":2}", "{\"é\":1,\"e\u{301}\":2}",  // names differ byte for byte
    "{\"a\":{\"a\":{\"a\":1}}}", "[{\"a\":1},{\"a\":2}]",
  ]

  static let refused: [(text: String, reason: JSONError.Reason, offset: Int)] = [
    ("", .unexpectedEnd, 0), ("   ", .unexpectedEnd, 3), ("[", .unexpectedEnd, 1),
    ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3),
    ("{\"a\"", .unexpectedEnd, 4), ("{\"a\":", .unexpectedEnd, 5), ("{\"a\":1", .unexpectedEnd, 6),
    ("\"abc", .unexpectedEnd, 4), ("\"abc\\", .unexpectedEnd, 4),
    ("[1,]", .expected("a value"), 3), ("[,1]", .expected("a value"), 1),
    ("{,}", .expected("a member's name"), 1), ("{\"a\":1,}", .expected("a member's name"), 7),
    ("{a:1}", .expected("a member's name"), 1), ("{1:1}", .expected("a member's name"), 1),
    ("{\"a\" 1}", .expected("\":\""), 5), ("{\"a\"::1}", .expected("a value"), 5),
    ("[1 2]", .expected("\",\" or \"]\""), 3), ("[1}", .expected("\",\" or \"]\""), 2),
    ("{\"a\":1]", .expected("\",\" or \"}\""), 6), ("]", .expected("a value"), 0),
    ("1 2", .expected("the end of the text"), 2), ("{}x", .expected("the end of the text"), 2),
    ("nul", .expected("a value"), 0), ("nulL", .expected("a value"), 0),
    ("True", .expected("a value"), 0), ("truefalse", .expected("the end of the text"), 4),
    ("NaN", .expected("a value"), 0), ("Infinity", .expected("a value"), 0),
    ("-Infinity", .invalidNumber, 0), ("'a'", .expected("a value"), 0),
    ("// c\n1", .expected("a value"), 0), ("[1/**/]", .expected("\",\" or \"]\""), 2),
    ("\u{A0}1", .expected("a value"), 0), ("\u{0B}1", .expected("a value"), 0),
    ("01", .invalidNumber, 0), ("-01", .invalidNumber, 0), ("00", .invalidNumber, 0),
    ("+1", .expected("a value"), 0), (".5", .expected("a value"), 0), ("-", .invalidNumber, 0),
    ("1.", .invalidNumber, 0), ("1.e5", .invalidNumber, 0), ("1e", .invalidNumber, 0),
    ("1e+", .invalidNumber, 0), ("-.5", .invalidNumber, 0), ("[1.]", .invalidNumber, 1),
    ("0x10", .expected("the end of the text"), 1), ("1_000", .expected("the end of the text"), 1),
    ("١", .expected("a value"), 0),  // digits are ASCII
    ("\"a\nb\"", .controlCharacterInString, 2), ("\"\t\"", .controlCharacterInString, 1),
    ("\"\u{0}\"", .controlCharacterInString, 1),
    ("\"1234567\u{1F}\"", .controlCharacterInString, 8),
    ("\"\\x\"", .invalidEscape, 1), ("\"\\U0041\"", .invalidEscape, 1),
    ("\"\\u12\"", .invalidEscape, 1), ("\"\\u12G4\"", .invalidEscape, 1),
    ("\"\\u+123\"", .invalidEscape, 1), ("\"\\u１２３４\"", .invalidEscape, 1),
    ("\"\\ud800\"", .loneSurrogate, 1), ("\"\\udc00\"", .loneSurrogate, 1),
    ("\"\\ud800\\ud800\"", .loneSurrogate, 1), ("\"\\ud800\\u0041\"", .loneSurrogate, 1),
    ("\"\\ud800xudc00\"", .loneSurrogate, 1), ("\"ab\\u0000\"", .nulCharacter, 3),
    ("{\"a\":1,\"a\":2}", .duplicateMember("a"), 7),
    ("{\"a\":1,\"\\u0061\":2}", .duplicateMember("a"), 7),
    ("{\"\\u0061\":1,\"b\":0,\"a\":2}", .duplicateMember("a"), 18),
    ("[{\"x\":{\"a\":[],\"a\":{}}}]", .duplicateMember("a"), 14),
    ("\u{FEFF}{}", .byteOrderMark, 0),
  ]

  @Test("accepts", arguments: accepted)
  func accepts(text: String) throws {
    #expect(try JSONValue(text: text).root.index == 0)
  }

  @Test("refuses, with the reason and the byte", arguments: refused)
  func refuses(text: String, reason: JSONError.Reason, offset: Int) {
    let error = #expect(throws: JSONError.self) { try JSONValue(text: text) }
    #expect(error?.reason == reason)
    #expect(error?.offset == offset)
  }

  @Test(
    "refuses what is not UTF-8, at the first wrong byte",
    arguments: [
      ([0x80], 0), ([0xC0, 0x80], 0), ([0xC3], 0), ([0x61, 0xC3, 0x28], 1),
      ([0xE0, 0x80, 0xAF], 0),
      ([0xED, 0xA0, 0x80], 0), ([0xF0, 0x80, 0x80, 0x80], 0), ([0xF4, 0x90, 0x80, 0x80], 0),
      ([0xF5, 0x80, 0x80, 0x80], 0), ([0xFF], 0), ([0xC3, 0xA9, 0xE2, 0x82], 2),
      (Array("0123456789abcdefgh".utf8) + [0xFE, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F], 18),
    ] as [([UInt8], Int)])
  func refusesInvalidUTF8(characters: [UInt8], fault: Int) {
    let error = #expect(throws: JSONError.self) {
      try JSONValue(parsing: [UInt8(ascii: "\"")] + characters + [UInt8(ascii: "\"")])
    }
    #expect(error == JSONError(reason: .invalidUTF8, offset: 1 + fault, pointer: ""))
  }

  @Test(
    "the error points at the value or member being read",
    arguments: [
      ("[1,2,x]", "/2"), ("{\"a\":{\"b\":[true,{\"c\":tru}]}}", "/a/b/1/c"),
      ("{\"a\":1,\"a/b~c\":[}", "/a~1b~0c/0"), ("{\"a\":[1],\"b\":{\"c\":0,\"c\":0}}", "/b/c"),
      ("{\"a\":1,,", ""), ("[[],[[],[x", "/1/1/0"), ("x", ""),
      ("{\"k\":[{\"n\":[1]},{\"m\":01", "/k/1/m"),
    ])
  func pointsAtTheFault(text: String, pointer: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue(text: text) }
    #expect(error?.pointer == pointer)
  }

  @Test("depth is bounded exactly, and a hostile one costs no stack")
  func depth() throws {
    func nested(_ levels: Int) -> String {
      String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    #expect(try JSONValue(text: nested(64)).nesting == 64)
    let error = #expect(throws: JSONError.self) { try JSONValue(text: nested(65)) }
    #expect(error?.reason == .tooDeep(depthMax: 64))
    #expect(try JSONValue(text: "[1]", depthMax: 1).nesting == 1)
    #expect(throws: JSONError.self) { try JSONValue(text: "[[]]", depthMax: 1) }
    #expect(try JSONValue(text: nested(60_000), depthMax: 60_000).nesting == 60_000)
    #expect(throws: JSONError.self) {
      try JSONValue(text: String(repeating: "{\"a\":[", count: 200_000))
    }
  }

  @Test("a slice is read within its bounds and its offsets are its own")
  func slices() throws {
    let bytes = Array("xx[1,{\"k\":\"v\"}]yy".utf8)
    let value = try JSONValue(parsing: bytes[2..<bytes.count - 2])
    #expect(value.elements.count == 2)
    #expect(Array(value.elements).last?.source.elementsEqual("{\"k\":\"v\"}".utf8) == true)
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes[2...]) }
    #expect(error?.offset == 13)
  }
}
