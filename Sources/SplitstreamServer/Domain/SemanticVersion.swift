/// Where the parts of a version stand in its text: Semantic Versioning 2.0.0, strictly.
///
/// Versions are compared in their texts, so that numbers of any length are exact and a version out
/// of a request costs no allocation.
struct SemanticVersion: Equatable, Sendable {
  /// Ends of major, minor and patch; each begins a byte after the end before it.
  private let coreEnds: (major: Int, minor: Int, patch: Int)
  /// Where the pre-release ends; `patch` when there is none. Build metadata is not kept: §10, it
  /// has no part in the precedence.
  private let preReleaseEnd: Int

  static func == (left: SemanticVersion, right: SemanticVersion) -> Bool {
    left.coreEnds == right.coreEnds && left.preReleaseEnd == right.preReleaseEnd
  }

  /// Nil when `text` is not a version: §2, §9, §10 and the grammar after §11.
  init?(_ text: Span<UInt8>) {
    var position = 0
    func number() -> Int? {
      let start = position
      while position < text.count, Self.isDigit(text[position]) { position += 1 }
      let hasLeadingZero = position - start > 1 && text[start] == UInt8(ascii: "0")
      return position > start && !hasLeadingZero ? position : nil
    }
    func dot() -> Bool {
      guard position < text.count, text[position] == UInt8(ascii: ".") else { return false }
      position += 1
      return true
    }
    guard let major = number(), dot(), let minor = number(), dot(), let patch = number() else {
      return nil
    }
    coreEnds = (major, minor, patch)
    var end = patch
    if position < text.count, text[position] == UInt8(ascii: "-") {
      guard let last = Self.identifiers(text, from: position + 1, areNumbersStrict: true) else {
        return nil
      }
      end = last
    }
    preReleaseEnd = end
    if end < text.count {
      guard text[end] == UInt8(ascii: "+"),
        Self.identifiers(text, from: end + 1, areNumbersStrict: false) == text.count
      else { return nil }
    }
  }

  /// The precedence of two versions (§11): below, at or above zero.
  static func compare(
    _ left: SemanticVersion, _ leftText: Span<UInt8>, _ right: SemanticVersion,
    _ rightText: Span<UInt8>
  ) -> Int {
    let (leftCore, rightCore) = (left.core, right.core)
    for part in 0..<3 {
      let order = compareNumbers(
        leftText.extracting(leftCore[part]), rightText.extracting(rightCore[part]))
      if order != 0 { return order }
    }
    let (leftPre, rightPre) = (left.preRelease, right.preRelease)
    // §11.3: a pre-release comes before its release.
    if leftPre.isEmpty || rightPre.isEmpty {
      return (leftPre.isEmpty ? 1 : 0) - (rightPre.isEmpty ? 1 : 0)
    }
    return comparePreReleases(leftText.extracting(leftPre), rightText.extracting(rightPre))
  }

  private var core: InlineArray<3, Range<Int>> {
    [0..<coreEnds.major, coreEnds.major + 1..<coreEnds.minor, coreEnds.minor + 1..<coreEnds.patch]
  }

  private var preRelease: Range<Int> {
    min(coreEnds.patch + 1, preReleaseEnd)..<preReleaseEnd
  }

  /// §11.4: identifier by identifier; numbers by value and below words, words by their ASCII.
  private static func comparePreReleases(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
    var (leftStart, rightStart) = (0, 0)
    while leftStart < left.count && rightStart < right.count {
      let leftEnd = identifierEnd(left, from: leftStart)
      let rightEnd = identifierEnd(right, from: rightStart)
      let order = compareIdentifiers(
        left.extracting(leftStart..<leftEnd), right.extracting(rightStart..<rightEnd))
      if order != 0 { return order }
      (leftStart, rightStart) = (leftEnd + 1, rightEnd + 1)
    }
    return (leftStart < left.count ? 1 : 0) - (rightStart < right.count ? 1 : 0)
  }

  private static func compareIdentifiers(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
    switch (isNumber(left), isNumber(right)) {
    case (true, true): compareNumbers(left, right)
    case (true, false): -1
    case (false, true): 1
    case (false, false): ByteOrder.compare(left, right)
    }
  }

  /// Digits without leading zeros: the longer number is the larger.
  private static func compareNumbers(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
    left.count == right.count ? ByteOrder.compare(left, right) : left.count - right.count
  }

  /// The end of one or more identifiers between dots, or nil when one is empty or malformed.
  private static func identifiers(
    _ text: Span<UInt8>, from start: Int, areNumbersStrict: Bool
  ) -> Int? {
    var start = start
    while true {
      var end = start
      while end < text.count, isDigit(text[end]) || isLetterOrHyphen(text[end]) { end += 1 }
      let identifier = text.extracting(start..<end)
      let hasLeadingZero = end - start > 1 && text[start] == UInt8(ascii: "0")
      if identifier.isEmpty || (areNumbersStrict && hasLeadingZero && isNumber(identifier)) {
        return nil
      }
      guard end < text.count, text[end] == UInt8(ascii: ".") else { return end }
      start = end + 1
    }
  }

  private static func identifierEnd(_ text: Span<UInt8>, from start: Int) -> Int {
    var end = start
    while end < text.count, text[end] != UInt8(ascii: ".") { end += 1 }
    return end
  }

  private static func isNumber(_ identifier: Span<UInt8>) -> Bool {
    for index in identifier.indices where !isDigit(identifier[index]) { return false }
    return true
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

  private static func isLetterOrHyphen(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- 0x61 < 26 || byte == UInt8(ascii: "-")
  }
}
