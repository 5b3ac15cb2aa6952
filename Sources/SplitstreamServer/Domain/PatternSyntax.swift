/// The tree of a pattern.
indirect enum PatternSyntax: Equatable, Sendable {
  case scalar(ScalarSet)
  /// `^`
  case start
  /// `$`
  case end
  case sequence([PatternSyntax])
  case choice([PatternSyntax])
  /// - Parameter max: nil when there is no bound.
  case repetition(PatternSyntax, min: Int, max: Int?)

  /// How often a bounded repetition may ask for its part.
  static let repetitionsMax = 256
  /// Where counting ends: far above what is allowed, far below what would overflow.
  private static let countMax = 1 << 20

  /// States of the automaton; numbers above `countMax` are not told apart.
  var positionCount: Int {
    switch self {
    case .scalar, .start, .end: 1
    case .sequence(let parts), .choice(let parts):
      min(Self.countMax, parts.reduce(0) { $0 + $1.positionCount })
    case .repetition(let part, let least, let most):
      min(Self.countMax, part.positionCount * Self.copies(min: least, max: most))
    }
  }

  /// How often the part of a repetition stands in the automaton.
  static func copies(min least: Int, max most: Int?) -> Int { most ?? max(least, 1) }
}

/// A set of characters (Unicode scalar values), as ranges.
struct ScalarSet: Equatable, Sendable {
  private(set) var ranges: [ClosedRange<UInt32>] = []
  var isInverted = false

  static let digits = ScalarSet(ranges: [0x30...0x39])
  static let words = ScalarSet(ranges: [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
  static let spaces = ScalarSet(ranges: [0x09...0x0d, 0x20...0x20])
  /// `.`
  static let anyButLineFeed = ScalarSet(ranges: [0x0a...0x0a], isInverted: true)

  static func only(_ scalar: Unicode.Scalar) -> ScalarSet {
    ScalarSet(ranges: [scalar.value...scalar.value])
  }

  var isEmpty: Bool { ranges.isEmpty && !isInverted }

  func contains(_ scalar: UInt32) -> Bool {
    ranges.contains { $0.contains(scalar) } != isInverted
  }

  mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }

  /// Adds all that `other` has; this set is not inverted yet.
  mutating func formUnion(_ other: ScalarSet) {
    guard other.isInverted else { return ranges.append(contentsOf: other.ranges) }
    var next: UInt32 = 0
    for range in other.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { insert(next...range.lowerBound - 1) }
      next = max(next, range.upperBound + 1)
    }
    if next <= 0x10_FFFF { insert(next...0x10_FFFF) }
  }
}
