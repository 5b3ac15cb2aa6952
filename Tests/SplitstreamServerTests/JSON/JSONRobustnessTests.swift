import Foundation
import Testing

@testable import SplitstreamServer

/// No input ends the process, and none costs more than its length explains.
@Suite struct JSONRobustnessTests {
  static let documents: [String] = [
    "{\"experiment_key\":\"checkout\",\"unit_id\":\"user-42\",\"context\":{\"plan\":\"pro\",\"age\":42.5e0}}",
    "[\"a\\u00e9\\ud83d\\ude00\\n\\\\\", \"漢字 😀\", [true, false, null], {\"\":{}}, -0.5e-1]",
    "{\"events\":[{\"event_key\":\"purchase\",\"properties\":{\"value\":1.25,\"tags\":[\"x\",\"y\"]}}]}",
  ]

  @Test("no beginning of a document is a document", arguments: documents)
  func truncations(text: String) throws {
    let bytes = Array(text.utf8)
    _ = try JSONValue(parsing: bytes)
    for end in 0..<bytes.count {
      #expect(throws: JSONError.self, "\(end)") { try JSONValue(parsing: bytes[..<end]) }
    }
  }

  @Test("mutated documents are read or refused, never more", arguments: documents)
  func mutations(text: String) {
    var generator = SplitMix64(seed: 2_026)
    let original = Array(text.utf8)
    let telling = Array("\"\\{}[],:0-.eEu \u{0}\u{FF}tfn".utf8)
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[index] = telling.randomElement(using: &generator) ?? 0
        case 2: bytes.remove(at: index)
        default: bytes.insert(bytes[index], at: index)
        }
      }
      if let value = try? JSONValue(parsing: bytes) { Self.walk(value) }
    }
  }

  @Test("what we accept, Foundation accepts, and sees the same", arguments: documents)
  func agreement(text: String) throws {
    var generator = SplitMix64(seed: 7)
    let original = Array(text.utf8)
    for _ in 0..<4_000 {
      var bytes = original
      let index = Int.random(in: 0..<bytes.count, using: &generator)
      bytes[index] = UInt8.random(in: 0x20...0x7E, using: &generator)
      guard let value = try? JSONValue(parsing: bytes) else { continue }
      let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
      #expect(Self.foundation(value) as? NSObject == theirs as? NSObject)
    }
  }

  @Test("an object of 100,000 members is read in one go, and its one duplicate found")
  func manyMembers() throws {
    let members = (0..<100_000).map { "\"member\($0)\":\($0)" }
    let text = "{" + members.joined(separator: ",")
    let value = try JSONValue(text: text + "}")
    #expect(value.members.count == 100_000)
    #expect(value["member99999"]?.integer == 99_999)
    let error = #expect(throws: JSONError.self) {
      try JSONValue(text: text + ",\"m\\u0065mber7\":0}")
    }
    #expect(error?.reason == .duplicateMember("member7"))
    #expect(error?.pointer == "/member7")
  }

  @Test("a duplicate is found in objects of every size", arguments: 1...40)
  func duplicates(count: Int) throws {
    let members = (0..<count).map { "\"k\($0)\":[{\"k\":\($0)}]" }.joined(separator: ",")
    #expect(try JSONValue(text: "{\(members)}").members.count == count)
    for twice in [0, count / 2, count - 1] {
      let error = #expect(throws: JSONError.self) {
        try JSONValue(text: "{\(members),\"last\":1,\"k\(twice)\":0}")
      }
      #expect(error?.reason == .duplicateMember("k\(twice)"))
    }
  }

  /// Touches everything that a reader could.
  private static func walk(_ value: JSONValue) {
    _ = (value.string, value.stringBytes, value.integer, value.double, value.bool, value.source)
    _ = (value.pointer, value["a"], value.members.count, value.elements.count)
    for (_, inner) in value.members { walk(inner) }
    for inner in value.elements { walk(inner) }
  }

  private static func foundation(_ value: JSONValue) -> Any {
    switch value.kind {
    case .object:
      NSDictionary(
        dictionary: Dictionary(
          uniqueKeysWithValues: value.members.map { ($0.key, foundation($0.value)) }))
    case .array: NSArray(array: value.elements.map(foundation))
    case .string: NSString(string: value.string ?? "")
    case .number: NSNumber(value: value.double ?? .nan)
    case .bool: NSNumber(value: value.bool ?? false)
    case .null: NSNull()
    }
  }
}
