import Testing

@testable import SplitstreamServer

/// The short way through a body reads what the long way reads, or leaves the body to it.
@Suite struct JSONPlainReaderTests {
  /// `name=value` of each member; nil when the reader does not complete.
  private static func members(_ text: [UInt8]) -> [String]? {
    var reader = JSONPlainReader()
    var members: [String] = []
    let span = text.span
    while let member = reader.next(in: span) {
      let name = String(decoding: text[member.name], as: UTF8.self)
      switch member.value {
      case .string(let range):
        members.append("\(name)=\(String(decoding: text[range], as: UTF8.self))")
      case .bool(let flag): members.append("\(name)=\(flag)")
      }
    }
    return reader.isComplete ? members : nil
  }

  private static func reference(_ text: [UInt8]) throws -> [String] {
    try JSONValue(parsing: text).members.map { key, value in
      "\(key)=\(value.string ?? value.bool.map(String.init) ?? "?")"
    }
  }

  @Test(
    "plain objects are read",
    arguments: [
      ("{}", []), (" {\t}\r\n", []), (#"{"a":"b"}"#, ["a=b"]),
      (#" { "a" : "" , "b" : true , "c":false } "#, ["a=", "b=true", "c=false"]),
      (#"{"ключ":"é\#u{10FFFF}"}"#, ["ключ=é\u{10FFFF}"]), (#"{"a":"1","a":"2"}"#, ["a=1", "a=2"]),
    ])
  func plain(text: String, members: [String]) {
    #expect(Self.members(Array(text.utf8)) == members)
  }

  @Test(
    "what is not plain, or not JSON, is left alone",
    arguments: [
      "", " ", "{", "}", "[]", #""a""#, "true", #"{"a"}"#, #"{"a":}"#, #"{"a":"b",}"#, #"{,}"#,
      #"{"a":1}"#, #"{"a":null}"#, #"{"a":{}}"#, #"{"a":[]}"#, #"{"a":"\n"}"#, #"{"\u0061":"b"}"#,
      #"{"a":"b"}x"#, #"{"a":"b"}{}"#, #"{"a":"b""c":"d"}"#, #"{"a" "b"}"#, #"{a:"b"}"#,
      #"{"a":tru}"#, #"{"a":truex}"#, #"{"a":True}"#, "\u{FEFF}{}", "{\"a\":\"b\u{0}\"}",
      "{\"a\":\"\n\"}", "{\u{A0}}",
    ])
  func other(text: String) {
    #expect(Self.members(Array(text.utf8)) == nil)
  }

  @Test("characters that are not UTF-8 are left alone")
  func wrongEncoding() {
    for wrong: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] {
      #expect(Self.members(Array(#"{"a":""#.utf8) + wrong + Array(#""}"#.utf8)) == nil)
    }
  }

  @Test("whatever it completes, the strict reader reads too, but for names that stand twice")
  func agreement() throws {
    let texts = [
      #"{"experiment_key":"checkout","unit_id":"user-1"}"#,
      #"{"unit_id" : "é", "log_exposure": false, "experiment_key":"a"}"#,
    ].map { Array($0.utf8) }
    let pieces = Array("\"\\{}[]:,truefalsn \u{e9}0".utf8) + [0, 0x1F, 0x80, 0xFF]
    var random = SplitMix64(seed: 20_261_121)
    var completed = 0
    for round in 0..<20_000 {
      var text = texts[round % 2]
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let place = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: text.remove(at: place)
        case 1: text.insert(pieces.randomElement(using: &random) ?? 0, at: place)
        default: text[place] = pieces.randomElement(using: &random) ?? 0
        }
      }
      guard let members = Self.members(text) else { continue }
      completed += 1
      do {
        #expect(try Self.reference(text) == members)
      } catch let error as JSONError {
        guard case .duplicateMember = error.reason else {
          Issue.record("\(String(decoding: text, as: UTF8.self)): \(error)")
          continue
        }
      }
    }
    #expect(completed > 1000)
  }
}
