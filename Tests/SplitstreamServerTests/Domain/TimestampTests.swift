import Foundation
import Testing

@testable import SplitstreamServer

/// RFC 3339 times: read strictly, written in one form, exact to the microsecond.
@Suite struct TimestampTests {
  @Test(
    "what is a time",
    arguments: [
      ("1970-01-01T00:00:00Z", 0),
      ("2000-01-01T00:00:00Z", 946_684_800_000_000),
      ("2026-03-02T12:34:56.789Z", 1_772_454_896_789_000),
      ("2026-03-02T12:34:56.7891234Z", 1_772_454_896_789_123),
      ("2026-03-02T12:34:56.000000999Z", 1_772_454_896_000_000),
      ("2026-03-02t12:34:56z", 1_772_454_896_000_000),
      ("2026-03-02 12:34:56Z", 1_772_454_896_000_000),
      ("2026-03-02T12:34:56+00:00", 1_772_454_896_000_000),
      ("2026-03-02T12:34:56-00:00", 1_772_454_896_000_000),
      ("2026-03-02T14:34:56+02:00", 1_772_454_896_000_000),
      ("2026-03-02T00:04:56-12:30", 1_772_454_896_000_000),
      ("2026-03-03T12:33:56+23:59", 1_772_454_896_000_000),
      // RFC 3339 §5.7: a leap second; here the first instant after it.
      ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
      ("1969-12-31T23:59:59.999999Z", -1),
      ("1900-03-01T00:00:00Z", -2_203_891_200_000_000),
      ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
      ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
      ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
      ("2000-02-29T00:00:00Z", 951_782_400_000_000),
    ])
  func reads(text: String, microseconds: Int) {
    #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
  }

  /// ISO8601DateFormatter makes 1 March of the second, and drops fractions without a word.
  @Test(
    "what is none",
    arguments: [
      "", "2024", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
      "2100-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-13-01T00:00:00Z",
      "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z", "0000-01-01T00:00:00Z",
      "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z",
      "2024-01-01", "2024-01-01T00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z",
      "2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00+0000", "2024-01-01T00:00:00+00",
      "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+00:60", "2024-01-01T00:00:00ZZ",
      "2024-01-01T00:00:00Z ", " 2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z\u{0}",
      "2024-1-01T00:00:00Z", "+2024-01-01T00:00:00Z", "-2024-01-01T00:00:00Z",
      "12024-01-01T00:00:00Z", "2024-W01-1T00:00:00Z", "20240101T000000Z",
      "2024-01-01T0a:00:00Z", "2024-01-01T+1:00:00Z", "２024-01-01T00:00:00Z",
      "٢٠٢٤-01-01T00:00:00Z", "2024-01-01T00:00:00.٥Z", "2024\u{2011}01-01T00:00:00Z",
      "2024-01-01T00:00:00\u{2212}01:00", "2024-01-01T00:00:00 +01:00", "infinity", "now",
      // Out of the years that four digits write, once the offset is applied.
      "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:00-00:01", "9999-12-31T23:59:60Z",
    ])
  func refuses(text: String) {
    #expect(Timestamp(rfc3339: text) == nil)
  }

  @Test("a time that is written reads as itself, and the texts sort as the times")
  func roundTrip() {
    var random = SplitMix64(seed: 2)
    let years = -62_135_596_800_000_000...253_402_300_799_999_999
    let times = (0..<2000).map { _ in
      Timestamp(microseconds: Int.random(in: years, using: &random))
    }
    #expect(times.allSatisfy { Timestamp(rfc3339: $0.rfc3339) == $0 })
    #expect(times.map(\.rfc3339).sorted() == times.sorted().map(\.rfc3339))
  }

  /// Foundation knows the calendar too: the ends of every month over a whole cycle of 400 years.
  @Test("days are those of the Gregorian calendar")
  func calendar() throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    for month in 0..<400 * 12 {
      let parts = DateComponents(year: 1770 + month / 12, month: month % 12 + 1, day: 1)
      let first = try #require(calendar.date(from: parts)).timeIntervalSince1970
      let text = Timestamp(microseconds: Int(first) * 1_000_000).rfc3339
      let expected = "\(1770 + month / 12)-\(month % 12 < 9 ? "0" : "")\(month % 12 + 1)-01"
      #expect(text == "\(expected)T00:00:00.000000Z")
      let last = Timestamp(microseconds: (Int(first) - 1) * 1_000_000)
      #expect(Timestamp(rfc3339: last.rfc3339) == last)
    }
  }

  @Test("the form of a written time")
  func form() {
    #expect(Timestamp(microseconds: 0).rfc3339 == "1970-01-01T00:00:00.000000Z")
    #expect(Timestamp(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999999Z")
    #expect(Timestamp(microseconds: 1_709_210_096_000_007).rfc3339 == "2024-02-29T12:34:56.000007Z")
  }

  @Test("steps of time")
  func steps() {
    let time = Timestamp(microseconds: 5)
    #expect(time.adding(milliseconds: -1).microseconds == -995)
    #expect(time.adding(seconds: 2).microseconds == 2_000_005)
    #expect(time.adding(days: -1).microseconds == -86_399_999_995)
    #expect(time.adding(seconds: 2).seconds(since: time) == 2)
  }
}
