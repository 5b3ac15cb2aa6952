import Foundation
import Testing

@testable import SplitstreamServer

/// What is written is JSON, exactly what was meant, and as short as it can be.
@Suite struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test("commas stand between values and nowhere else")
  func commas() throws {
    let text = written { writer in
      writer.object { writer in
        writer.member("id", "x")
        writer.member("none", nil as String?)
        writer.member("numbers", [1, 2, 3])
        writer.member("nested") { writer in
          writer.array { writer in
            writer.object { _ in }
            writer.array { _ in }
            writer.write(true)
          }
        }
        writer.member("list", array: ["a", "b"]) { writer, name in
          writer.object { $0.member("name", name) }
        }
        writer.key("dynamic \"name\"")
        writer.bool(false)
        writer.key("last")
        writer.null()
      }
    }
    #expect(
      text == """
        {"id":"x","none":null,"numbers":[1,2,3],"nested":[{},[],true],\
        "list":[{"name":"a"},{"name":"b"}],"dynamic \\"name\\"":false,"last":null}
        """)
    #expect(try JSONValue(text: text).members.count == 7)
  }

  @Test(
    "strings are escaped where they must be",
    arguments: [
      ("", "\"\""), ("plain", "\"plain\""), ("a\"b\\c/d", "\"a\\\"b\\\\c/d\""),
      ("\n\r\t\u{8}\u{C}", "\"\\n\\r\\t\\b\\f\""),
      ("\u{1}\u{1F}\u{0}", "\"\\u0001\\u001f\\u0000\""),
      ("é漢😀\u{7F}\u{2028}", "\"é漢😀\u{7F}\u{2028}\""),
    ])
  func strings(value: String, text: String) throws {
    #expect(written { $0.string(value) }.utf8.elementsEqual(text.utf8))
    let theirs = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    #expect((theirs as? String)?.utf8.elementsEqual(value.utf8) == true)
  }

  @Test(
    "a character that must be escaped is, wherever it stands", arguments: ["\"", "\\", "\u{1F}"])
  func everyPlace(character: Character) throws {
    for length in 0..<20 {
      for place in 0..<length {
        var value = Array(String(repeating: "é", count: length))
        value[place] = character
        let text = written { $0.string(String(value)) }
        let theirs = try JSONSerialization.jsonObject(
          with: Data(text.utf8), options: .fragmentsAllowed)
        #expect((theirs as? String)?.utf8.elementsEqual(String(value).utf8) == true)
      }
    }
  }

  @Test("integers", arguments: [0, 7, -1, 10, 1_234_567_890, .max, .min])
  func integers(value: Int) {
    #expect(written { $0.integer(value) } == String(value))
  }

  @Test(
    "doubles are the shortest that read back",
    arguments: [
      (0.0, "0"), (-0.0, "-0"), (1, "1"), (0.1, "0.1"), (-2.5, "-2.5"), (1e15, "1000000000000000"),
      (1e16, "1e16"), (.leastNonzeroMagnitude, "5e-324"),
      (0.30000000000000004, "0.30000000000000004"),
      (1.7976931348623157e308, "1.7976931348623157e308"), (1e-5, "1e-05"), (123.456, "123.456"),
    ] as [(Double, String)])
  func doubles(value: Double, text: String) throws {
    #expect(written { $0.double(value) } == text)
    #expect(try JSONValue(text: text).double?.bitPattern == value.bitPattern)
  }

  @Test("random doubles survive the way out and back")
  func randomDoubles() throws {
    var generator = SplitMix64(seed: 5)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      let text = written { $0.double(value) }
      #expect(try JSONValue(text: text).double?.bitPattern == value.bitPattern, "\(text)")
    }
  }

  @Test("what was read is written as it was")
  func values() throws {
    let value = try JSONValue(text: "{\"n\": 1.50e+3, \"s\":\"\\u0041\"}")
    let text = written { writer in
      writer.object {
        $0.member("properties", value)
        $0.member("s", value["s"])
        $0.member("none", value["x"])
      }
    }
    #expect(
      text == "{\"properties\":{\"n\": 1.50e+3, \"s\":\"\\u0041\"},\"s\":\"\\u0041\",\"none\":null}"
    )
  }
}
