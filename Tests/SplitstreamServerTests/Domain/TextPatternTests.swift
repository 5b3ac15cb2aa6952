import Foundation
import Testing

@testable import SplitstreamServer

/// `matches` finds what other engines find, and in linear time what makes them hang.
@Suite struct TextPatternTests {
  private func isFound(_ pattern: String, in text: String) throws -> Bool {
    let bytes = Array(text.utf8)
    return try TextPattern(Array(pattern.utf8)).isFound(in: bytes.span)
  }

  @Test(
    "the syntax",
    arguments: [
      ("", "", true), ("", "x", true), ("a", "cab", true), ("a", "CAB", false), ("^a", "ba", false),
      ("a$", "ab", false), ("^$", "", true), ("^$", "x", false), ("$^", "", true),
      ("a^", "a", false),
      ("$a", "a", false), ("^^a", "a", true), ("a$$", "ba", true), ("(^|,)x", "a,x", true),
      ("(^|,)x", "ax", false), ("x(,|$)", "ax", true), (".", "\n", false), (".", "é", true),
      ("^.$", "👩", true), ("^..$", "é", false), ("[a-c]+", "xbx", true), ("[^a-c]", "abc", false),
      ("[^a]", "é", true), ("[à-ü]", "é", true), ("[à-ü]", "e", false), ("[-a]", "-", true),
      ("[a-]", "-", true), ("[\\-\\]\\\\]", "]", true), ("[\\d_]+$", "x7_", true),
      ("[\\D]", "7", false), ("[^\\D]", "7", true), ("\\d\\.\\d", "1.2", true),
      ("\\d\\.\\d", "1x2", false), ("\\w\\W\\s\\S", "a- b", true), ("^a{3}$", "aaa", true),
      ("^a{3}$", "aaaa", false), ("^a{2,}$", "aaaa", true), ("^a{2,}$", "a", false),
      ("^a{0,2}$", "aaa", false), ("^a{0}$", "", true), ("^(ab){2,3}$", "ababab", true),
      ("^(?:ab|cd)+$", "abcdab", true), ("^(a|b|)c$", "c", true), ("^(a*)*b$", "aab", true),
      ("^(a?){3}b$", "aab", true), ("^(a?){3}b$", "aaaab", false), ("()", "", true),
      ("(){256}a", "a", true), ("\\t\\n\\r\\f\\v", "\t\n\r\u{0c}\u{0b}", true), ("€+", "€€", true),
      ("^[\\w.+-]+@[\\w-]+\\.[\\w.]+$", "first.last+tag@example.co.uk", true),
    ])
  func syntax(pattern: String, text: String, expected: Bool) throws {
    #expect(try isFound(pattern, in: text) == expected)
  }

  @Test(
    "what is not of the syntax is refused",
    arguments: [
      "(", ")", "a)", "(a", "[", "[]", "[^]", "[a", "]", "}", "{", "*", "+a", "?", "a**", "a+?",
      "a*?",
      "a{", "a{1", "a{,2}", "a{2,1}", "a{257}", "a{1}{2}", "a{99999999999999999999}", "^*", "(?=a)",
      "(?!a)", "(?<n>a)", "(?i)a", "(?", "\\", "\\b", "\\1", "\\p{L}", "\\é", "[z-a]", "[a-\\d]",
      "[\\d-z]", "[a-b-c]", "[[:alpha:]]", "[[a]]", "a|*", "\\x41", "(*)",
    ])
  func refused(pattern: String) {
    #expect(throws: TextPatternError.self) { try TextPattern(Array(pattern.utf8)) }
  }

  @Test("a pattern's size is bounded, however it is written")
  func size() throws {
    func isTaken(_ pattern: String) -> Bool { (try? TextPattern(Array(pattern.utf8))) != nil }
    #expect(isTaken("a{256}"))
    #expect(!isTaken("a{256}b"))
    #expect(isTaken("(a{16}){16}"))
    #expect(!isTaken("(a{16}){17}"))
    let deep = String(repeating: "(", count: 20) + "a" + String(repeating: "){256}", count: 20)
    #expect(!isTaken(deep))
    #expect(isTaken(deep.replacing("a", with: "")))
    #expect(isTaken(String(repeating: "(", count: 32) + String(repeating: ")", count: 32)))
    #expect(!isTaken(String(repeating: "(", count: 33) + String(repeating: ")", count: 33)))
    #expect(!isTaken(String(repeating: "()", count: 513)))
  }

  @Test(
    "patterns that make backtracking hang take linearly many steps",
    arguments: [
      "(a*)*b", "^(a+)+$", "(a|aa)+$", "^(a|a?)+b$", "(.*)*(.*)*(.*)*x", "(a?){120}a{120}$",
      "^(([a-z])+.)+[A-Z]([a-z])+$", "[ab]*a[ab]{100}c",
    ])
  func linear(pattern: String) throws {
    let compiled = try TextPattern(Array(pattern.utf8))
    for length in [64, 512, 4096] {
      let text = [UInt8](repeating: UInt8(ascii: "a"), count: length) + [UInt8(ascii: "!")]
      var steps = 0
      _ = compiled.isFound(in: text.span, steps: &steps)
      #expect(steps <= (TextPattern.positionsMax + 1) * (text.count + 4))
    }
    // Once it is under way, twice the text is twice the steps.
    func steps(_ length: Int) -> Int {
      var steps = 0
      let text = [UInt8](repeating: UInt8(ascii: "a"), count: length) + [UInt8(ascii: "!")]
      _ = compiled.isFound(in: text.span, steps: &steps)
      return steps
    }
    #expect(steps(4096) - steps(2048) == 2 * (steps(2048) - steps(1024)))
  }

  @Test("random patterns find what Foundation's engine finds", arguments: 0..<8)
  func random(seed: UInt64) throws {
    var generator = PatternGenerator(random: SplitMix64(seed: seed))
    var compared = 0
    while compared < 300 {
      let pattern = generator.pattern(depth: 3)
      // Foundation takes no empty pattern; ours none that is too large.
      guard !pattern.isEmpty, let ours = try? TextPattern(Array(pattern.utf8)) else { continue }
      let theirs = try NSRegularExpression(pattern: pattern)
      for _ in 0..<12 {
        let text = generator.text()
        let bytes = Array(text.utf8)
        let range = NSRange(text.startIndex..., in: text)
        let expected = theirs.firstMatch(in: text, range: range) != nil
        #expect(ours.isFound(in: bytes.span) == expected, "\(pattern) in \(text)")
      }
      compared += 1
    }
  }
}

/// Writes patterns of the part of the syntax that both engines read in one way, and texts for them.
private struct PatternGenerator {
  var random: SplitMix64

  private static let atoms = [
    "a", "b", "c", "é", "€", "👍", ".", "[ab]", "[^a]", "[a-c]", "[^b-c€]", "[é-€]", "\\d",
    "[a-z\\d]", "\\D",
    "[\\dab]", "\\.", "1", "-", "[-a]",
  ]
  private static let characters = ["a", "b", "c", "é", "€", "👍", "1", ".", "-", " "]
  private static let quantifiers = ["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}"]

  private mutating func pick<T>(_ choices: [T]) -> T {
    choices[Int.random(in: 0..<choices.count, using: &random)]
  }

  mutating func pattern(depth: Int) -> String {
    let start = Int.random(in: 0..<5, using: &random) == 0 ? "^" : ""
    let end = Int.random(in: 0..<5, using: &random) == 0 ? "$" : ""
    let branches = (0..<pick([1, 1, 2])).map { _ in
      (0..<pick([0, 1, 2, 3])).map { _ in part(depth: depth) }.joined()
    }
    return start + branches.joined(separator: "|") + end
  }

  private mutating func part(depth: Int) -> String {
    let isGroup = depth > 0 && Int.random(in: 0..<3, using: &random) == 0
    let atom = isGroup ? pick(["(", "(?:"]) + pattern(depth: depth - 1) + ")" : pick(Self.atoms)
    return atom + pick(Self.quantifiers)
  }

  mutating func text() -> String {
    (0..<Int.random(in: 0..<8, using: &random)).map { _ in pick(Self.characters) }.joined()
  }
}
