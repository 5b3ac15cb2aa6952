import Testing

@testable import SplitstreamServer

/// What a reader sees of a document.
@Suite struct JSONValueTests {
  let document = try? JSONValue(
    text: """
      {"key":"checkout","unit\\u005fid":"a\\u00e9\\ud83d\\ude00\\n","n":[1, -2.50, {"x":[]}], \
      "yes":true,"no":false,"none":null, "empty":{}}
      """)

  @Test func members() throws {
    let document = try #require(document)
    #expect(document.kind == .object)
    #expect(document.members.map(\.key) == ["key", "unit_id", "n", "yes", "no", "none", "empty"])
    #expect(document.members.count == 7)
    #expect(document["key"]?.string == "checkout")
    #expect(document["unit_id"]?.string == "aé😀\n")
    #expect(document[member: "unit_id"]?.stringBytes.map(Array.init) == Array("aé😀\n".utf8))
    #expect(document["key"]?.stringBytes.map(Array.init) == Array("checkout".utf8))
    #expect(document["Key"] == nil && document["ke"] == nil && document[""] == nil)
    #expect(document["yes"]?.bool == true && document["no"]?.bool == false)
    #expect(document["none"]?.isNull == true && document["yes"]?.isNull == false)
    #expect(document["empty"]?.members.isEmpty == true)
  }

  @Test func elements() throws {
    let list = try #require(document?["n"])
    let elements = Array(list.elements)
    #expect(list.elements.count == 3 && !list.elements.isEmpty)
    #expect(elements.map(\.kind) == [.number, .number, .object])
    #expect(elements[0].integer == 1 && elements[1].double == -2.5)
    #expect(elements[2]["x"]?.elements.count == 0)
  }

  @Test("the source is what was received, byte for byte")
  func source() throws {
    let document = try #require(document)
    #expect(document["n"]?.source.elementsEqual("[1, -2.50, {\"x\":[]}]".utf8) == true)
    #expect(document["key"]?.source.elementsEqual("\"checkout\"".utf8) == true)
    let list = try #require(document["n"])
    #expect(list.elements.map { String(decoding: $0.source, as: UTF8.self) }[1] == "-2.50")
  }

  @Test(
    "nesting counts containers",
    arguments: [
      ("1", 0), ("{}", 1), ("[1]", 1), ("[{}]", 2), ("[[],[[]],[]]", 3),
      ("{\"a\":{\"b\":{}},\"c\":[]}", 3),
    ])
  func nesting(text: String, levels: Int) throws {
    #expect(try JSONValue(text: text).nesting == levels)
  }

  @Test("nothing of another kind is converted")
  func otherKinds() throws {
    for text in ["1", "\"1\"", "true", "null", "[]", "{}"] {
      let value = try JSONValue(text: text)
      #expect((value.integer != nil) == (value.kind == .number))
      #expect((value.double != nil) == (value.kind == .number))
      #expect((value.string != nil) == (value.kind == .string))
      #expect((value.stringBytes != nil) == (value.kind == .string))
      #expect((value.bool != nil) == (value.kind == .bool))
      #expect(value["a"] == nil && value.elements.isEmpty && value.members.isEmpty)
    }
  }

  @Test("strings are compared byte for byte, whatever their escapes")
  func isString() throws {
    #expect(try JSONValue(text: "\"managed\"").isString("managed"))
    #expect(try JSONValue(text: "\"man\\u0061ged\"").isString("managed"))
    #expect(try !JSONValue(text: "\"e\u{301}\"").isString("é"))
    #expect(try !JSONValue(text: "\"manage\"").isString("managed"))
    #expect(try !JSONValue(text: "null").isString("null"))
  }

  @Test("a value knows its place")
  func pointers() throws {
    let text = "{\"a\":[0,{\"b/c\":{\"~\":1,\"\":2}}],\"d\":3}"
    let document = try JSONValue(text: text)
    let inner = try #require(document["a"]?.elements.map { $0 }[1]["b/c"])
    #expect(document.pointer == "")
    #expect(inner["~"]?.pointer == "/a/1/b~1c/~0")
    #expect(inner[""]?.pointer == "/a/1/b~1c/")
    #expect(document["d"]?.pointer == "/d")
    #expect(inner.pointer(to: "x/y") == "/a/1/b~1c/x~1y")
  }
}
