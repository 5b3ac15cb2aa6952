/// A regular expression that is found, or not, in time linear in the text: what `matches` takes.
///
/// The syntax is the part of the usual one that needs no backtracking: literals, `.` (any character
/// but a line feed), classes `[a-z]` and `[^a-z]`, `\d \D \w \W \s \S` (ASCII), `\t \n \r \f \v`, a
/// backslash before punctuation, `^` and `$` (the ends of the text), groups `(…)` and `(?:…)`, `|`,
/// `* + ?` and `{m}`, `{m,}`, `{m,n}`. A pattern is found anywhere in the text unless anchored.
///
/// It runs as Glushkov's automaton (Glushkov 1961; Navarro & Raffinot, *Flexible Pattern Matching
/// in Strings*, §5.2.2): one state for each place of the pattern that takes a character, the set of
/// active ones in 256 bits. A character of the text costs at most one step for each state.
struct TextPattern: Equatable, Sendable {
  static let bytesMax = 1024
  /// Places of the pattern that take a character, repetitions counted out.
  static let positionsMax = PatternPositions.countMax

  /// The pattern as written; two patterns are equal when these are.
  let source: [UInt8]
  private let automaton: PatternAutomaton

  static func == (left: TextPattern, right: TextPattern) -> Bool { left.source == right.source }

  init(_ source: [UInt8]) throws(TextPatternError) {
    guard source.count <= Self.bytesMax else { throw .tooLong }
    var parser = PatternParser(String(decoding: source, as: UTF8.self))
    let syntax = try parser.parse()
    guard syntax.positionCount <= Self.positionsMax else { throw .tooLarge }
    self.source = source
    automaton = PatternAutomaton(syntax)
  }

  /// Whether the pattern is found in `text`, which is UTF-8.
  func isFound(in text: Span<UInt8>) -> Bool {
    var steps = 0
    return isFound(in: text, steps: &steps)
  }

  /// - Parameter steps: raised by the number of states visited, at most `positionsMax` + 1 for each
  ///   byte, and that squared for each end of the text: anchors may stand one behind the other.
  func isFound(in text: Span<UInt8>, steps: inout Int) -> Bool {
    automaton.isFound(in: text, steps: &steps)
  }
}

/// Why a text is not a pattern that `matches` takes.
enum TextPatternError: Error, Equatable, CustomStringConvertible {
  case tooLong
  case tooLarge
  /// What is wrong, and after how many characters.
  case syntax(String, at: Int)

  var description: String {
    switch self {
    case .tooLong: "must be at most \(TextPattern.bytesMax) bytes"
    case .tooLarge:
      "is too large: at most \(TextPattern.positionsMax) characters, repetitions counted out"
    case .syntax(let detail, let offset): "\(detail), after \(offset) characters"
    }
  }
}
