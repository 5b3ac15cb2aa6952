import Foundation
import Testing

@testable import SplitstreamServer

/// Numbers are exact or refused; doubles are the nearest ones, as Foundation's parser and the C
/// library find them.
@Suite struct JSONNumberTests {
  @Test(
    "integers, however they are written",
    arguments: [
      ("0", 0), ("-0", 0), ("0.0", 0), ("0e9999999999999999999999", 0), ("-0.000e-5", 0),
      ("1", 1), ("-1", -1), ("1.0", 1), ("1.000000000000000000000000000000", 1), ("1e2", 100),
      ("1E+2", 100), ("100e-2", 1), ("1.5e1", 15), ("0.001e3", 1), ("120e-1", 12),
      ("9223372036854775807", .max), ("-9223372036854775808", .min),
      ("9.223372036854775807e18", .max),
      ("922337203685477580700e-2", .max), ("1e18", 1_000_000_000_000_000_000),
      ("10000000000000000000000e-22", 1), ("9007199254740993", 9_007_199_254_740_993),
    ] as [(String, Int)])
  func integers(text: String, value: Int) throws {
    #expect(try JSONValue(text: text).integer == value)
  }

  @Test(
    "no integer is made of what is none, or does not fit",
    arguments: [
      "0.5", "1e-1", "1.5", "15e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e400",
      "18446744073709551616", "1e99999999999999999999", "1e-99999999999999999999",
      "9223372036854775807.1", "0.1e-9223372036854775808", "100000000000000000000000000000001e-32",
    ])
  func noIntegers(text: String) throws {
    #expect(try JSONValue(text: text).integer == nil)
  }

  static let doubleTexts: [String] = [
    "0", "-0", "0.1", "0.2", "0.3", "1e22", "1e23", "123456789012345678", "9007199254740993",
    "9007199254740992.5", "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "4.9e-324",
    "2.4703282292062328e-324", "2.47e-324", "1e-400", "0.30000000000000004", "8.5e-23", "1.5e-22",
    "2.2250738585072011e-308", "6.02214076e23", "179769313486231580793728971405301e276",
    "1.00000000000000011102230246251565404236316680908203125",
    "1.00000000000000011102230246251565404236316680908203124", "18446744073709551616",
    "18446744073709551615", "0.000001", "100000000000000000000000000000000000000000000000000",
  ]

  @Test("doubles are the nearest", arguments: doubleTexts)
  func doubles(text: String) throws {
    let ours = try #require(try JSONValue(text: text).double)
    #expect(ours.bitPattern == strtod(text, nil).bitPattern)
  }

  @Test(
    "what rounds to infinity is refused",
    arguments: ["1e309", "-1e309", "1e99999999999999999999", "2e308"])
  func infinite(text: String) throws {
    #expect(try JSONValue(text: text).double == nil)
  }

  @Test("random numbers read as Foundation reads them")
  func random() throws {
    var generator = SplitMix64(seed: 8)
    for _ in 0..<20_000 {
      let text = Self.randomNumber(&generator)
      let ours = try JSONValue(text: text)
      let theirs = try #require(Double(text))
      let foundation = try? JSONDecoder().decode(Double.self, from: Data(text.utf8))
      #expect(ours.double == (theirs.isFinite ? theirs : nil), "\(text)")
      if let foundation { #expect(ours.double == foundation, "\(text)") }
      let decimal = Decimal(string: text)
      if let integer = ours.integer { #expect(decimal == Decimal(integer), "\(text)") }
    }
  }

  @Test("a megabyte of digits is one number")
  func long() throws {
    let text = "0." + String(repeating: "1234567890", count: 100_000)
    #expect(try JSONValue(text: text).double == 0.123456789012345678)
    #expect(try JSONValue(text: text).integer == nil)
    #expect(try JSONValue(text: "1" + String(repeating: "0", count: 1_000_000)).integer == nil)
  }

  private static func randomNumber(_ generator: inout SplitMix64) -> String {
    func digits(_ countMax: Int) -> String {
      (0..<Int.random(in: 1...countMax, using: &generator))
        .map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
    }
    let integer = digits(20).drop { $0 == "0" }
    var text = Bool.random(using: &generator) ? "-" : ""
    text += integer.isEmpty ? "0" : integer
    if Bool.random(using: &generator) { text += "." + digits(20) }
    if Bool.random(using: &generator) {
      text += ["e", "E", "e+", "e-"].randomElement(using: &generator) ?? "e"
      text += digits(Int.random(in: 0..<4, using: &generator) == 0 ? 3 : 2)
    }
    return text
  }
}
