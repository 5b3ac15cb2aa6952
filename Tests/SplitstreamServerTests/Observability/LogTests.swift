import Foundation
import Glibc
import Logging
import Synchronization
import Testing

@testable import SplitstreamServer

/// Whatever is logged, it stays one line and one JSON object: tools that read the log never lose
/// their place.
@Suite struct LogTests {
  @Test func aLineHasItsFixedMembersInOrder() {
    let lines = logged { $0.info("listening", metadata: ["port": .stringConvertible(8000)]) }
    #expect(
      lines == [
        #"{"time":"2026-02-28T23:59:59.007Z","level":"info","logger":"test","message":"listening","port":8000}"#
          + "\n"
      ])
  }

  @Test(
    "any text comes back as it was",
    arguments: [
      "plain", "", "\"quoted\" \\ back", "tab\tline\nreturn\r\u{0}\u{1b}[31m\u{7f}",
      "größe 👩‍👩‍👧‍👦 \u{2028}",
    ])
  func texts(text: String) throws {
    let lines = logged { $0.error("\(text)", metadata: ["value": .string(text), "\(text)k": "v"]) }
    let line = try #require(lines.first)
    #expect(line.dropLast().allSatisfy { !$0.isNewline || $0 == "\u{2028}" } && line.last == "\n")
    let object = try parsed(line)
    #expect(object["message"] as? String == text)
    #expect(object["value"] as? String == text)
    #expect(object[text + "k"] as? String == "v")
  }

  @Test func valuesKeepTheirKind() throws {
    let lines = logged {
      $0.warning(
        "kinds",
        metadata: [
          "int": .stringConvertible(-3), "uint": .stringConvertible(UInt64.max),
          "double": .stringConvertible(1.5),
          "nan": .stringConvertible(Double.nan), "flag": .stringConvertible(true),
          "list": .array(["a", .stringConvertible(1)]), "empty": .array([]),
          "map": .dictionary(["b": "c", "a": .dictionary([:])]),
        ])
    }
    #expect(
      try #require(lines.first).contains(
        #""double":1.5,"empty":[],"flag":true,"int":-3,"list":["a",1],"map":{"a":{},"b":"c"},"nan":"nan","uint":18446744073709551615}"#
      ))
  }

  @Test func metadataNeverReplacesAFixedMember() throws {
    let lines = logged { $0.info("one", metadata: ["message": "two", "time": "never"]) }
    let object = try parsed(#require(lines.first))
    #expect(object["message"] as? String == "one" && object["message_"] as? String == "two")
    #expect(object["time_"] as? String == "never")
  }

  @Test func theNearerMetadataWins() throws {
    let lines = logged { logger in
      var logger = logger
      logger[metadataKey: "a"] = "logger"
      logger[metadataKey: "b"] = "logger"
      logger.info("x", metadata: ["b": "event"])
    }
    let object = try parsed(#require(lines.first))
    #expect(object["a"] as? String == "logger" && object["b"] as? String == "event")
  }

  @Test("a long text is cut between characters", arguments: 0..<4)
  func longTexts(offset: Int) throws {
    let text = String(repeating: "a", count: offset) + String(repeating: "€", count: 10_000)
    let line = try #require(logged { $0.info("\(text)") }.first)
    let message = try #require(parsed(line)["message"] as? String)
    #expect(message.utf8.count <= LogLine.textBytesMax + 3 && message.hasSuffix("€…"))
    #expect(text.hasPrefix(message.dropLast()))
  }

  @Test func levelsBelowAreSilent() {
    #expect(logged { $0.debug("hidden") }.isEmpty)
  }

  private func parsed(_ line: String) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  private func logged(_ body: (Logger) -> Void) -> [String] {
    let lines = Lines()
    let handler = JSONLineLogHandler(
      label: "test", level: .info,
      clock: { timespec(tv_sec: 1_772_323_199, tv_nsec: 7_999_999) },
      output: { line in lines.all.withLock { $0.append(String(decoding: line, as: UTF8.self)) } })
    body(Logger(label: "test") { _ in handler })
    return lines.all.withLock { $0 }
  }

  private final class Lines: Sendable {
    let all = Mutex<[String]>([])
  }
}
