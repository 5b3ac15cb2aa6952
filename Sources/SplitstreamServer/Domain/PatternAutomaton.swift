/// Glushkov's automaton of a pattern: its positions, and which may follow which.
struct PatternAutomaton: Sendable {
  /// What each position takes; nil for an anchor.
  private var sets: [ScalarSet?] = []
  private var follow: [PatternPositions] = []
  private var starts = PatternPositions()
  private var ends = PatternPositions()
  private var whole = Fragment()
  /// The positions that take an ASCII character.
  private var ascii = [PatternPositions](repeating: PatternPositions(), count: 128)

  /// A part of the pattern: where it can begin and end, and whether it takes the empty text.
  private struct Fragment {
    var isNullable = true
    var first = PatternPositions()
    var last = PatternPositions()
  }

  init(_ syntax: PatternSyntax) {
    whole = add(syntax)
    for (position, set) in sets.enumerated() {
      guard let set else { continue }
      for scalar in 0..<128 where set.contains(UInt32(scalar)) {
        ascii[scalar].insert(position)
      }
    }
  }

  // MARK: Building

  private mutating func add(_ syntax: PatternSyntax) -> Fragment {
    switch syntax {
    case .scalar(let set): return add(position: set)
    case .start:
      starts.insert(sets.count)
      return add(position: nil)
    case .end:
      ends.insert(sets.count)
      return add(position: nil)
    case .sequence(let parts):
      var all = Fragment()
      for part in parts { all = joined(all, add(part)) }
      return all
    case .choice(let branches):
      var all = Fragment(isNullable: false)
      for branch in branches {
        let fragment = add(branch)
        all.isNullable = all.isNullable || fragment.isNullable
        all.first.formUnion(fragment.first)
        all.last.formUnion(fragment.last)
      }
      return all
    case .repetition(let part, let least, let most):
      return add(part, min: least, max: most)
    }
  }

  private mutating func add(position set: ScalarSet?) -> Fragment {
    let position = sets.count
    sets.append(set)
    follow.append(PatternPositions())
    var only = PatternPositions()
    only.insert(position)
    return Fragment(isNullable: false, first: only, last: only)
  }

  private mutating func add(_ part: PatternSyntax, min least: Int, max most: Int?) -> Fragment {
    // Without positions there is nothing to repeat, however often.
    if part.positionCount == 0 { return Fragment() }
    var all = Fragment()
    let copies = PatternSyntax.copies(min: least, max: most)
    for copy in 0..<copies {
      var fragment = add(part)
      if most == nil && copy == copies - 1 { connect(fragment.last, to: fragment.first) }
      fragment.isNullable = fragment.isNullable || copy >= least
      all = joined(all, fragment)
    }
    return all
  }

  private mutating func joined(_ left: Fragment, _ right: Fragment) -> Fragment {
    connect(left.last, to: right.first)
    var all = Fragment(isNullable: left.isNullable && right.isNullable)
    all.first = left.isNullable ? left.first.union(right.first) : left.first
    all.last = right.isNullable ? left.last.union(right.last) : right.last
    return all
  }

  private mutating func connect(_ last: PatternPositions, to first: PatternPositions) {
    last.visit { follow[$0].formUnion(first) }
  }

  // MARK: Running

  func isFound(in text: Span<UInt8>, steps: inout Int) -> Bool {
    if whole.isNullable { return true }
    let isAnchored = whole.first.subtracting(starts).isEmpty
    var active = PatternPositions()
    takeAnchors(text.isEmpty ? starts.union(ends) : starts, &active, &steps)
    var offset = 0
    while offset < text.count && !active.intersects(whole.last) {
      if isAnchored && offset > 0 && active.isEmpty { return false }
      let next = reachable(from: active, &steps)
      let byte = text[offset]
      if byte < 0x80 {
        active = next.intersection(ascii[Int(byte)])
        offset += 1
      } else {
        let (scalar, length) = Self.scalar(text, at: offset)
        active = next.filter { sets[$0]?.contains(scalar) ?? false }
        offset += length
      }
      if offset == text.count { takeAnchors(ends, &active, &steps) }
    }
    return active.intersects(whole.last)
  }

  private func reachable(from active: PatternPositions, _ steps: inout Int) -> PatternPositions {
    var next = whole.first
    var visited = 1
    active.visit { position in
      next.formUnion(follow[position])
      visited += 1
    }
    steps += visited
    return next
  }

  /// At an end of the text, `anchors` are passed without a character; one can lead to another.
  private func takeAnchors(
    _ anchors: PatternPositions, _ active: inout PatternPositions, _ steps: inout Int
  ) {
    while true {
      let passed = reachable(from: active, &steps).intersection(anchors).subtracting(active)
      if passed.isEmpty { return }
      active.formUnion(passed)
    }
  }

  /// The character of more than one byte at `offset` of a checked UTF-8 text.
  private static func scalar(_ text: Span<UInt8>, at offset: Int) -> (value: UInt32, length: Int) {
    let lead = text[offset]
    let length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    var value = UInt32(lead) & (0x7F >> UInt32(length))
    for index in offset + 1..<min(offset + length, text.count) {
      value = value << 6 | UInt32(text[index] & 0x3F)
    }
    return (value, length)
  }
}

/// A set of the positions of a pattern: 256 bits, no allocation.
struct PatternPositions: Equatable, Sendable {
  static let countMax = 256
  private var words = SIMD4<UInt64>()

  var isEmpty: Bool { words == SIMD4() }

  mutating func insert(_ position: Int) { words[position >> 6] |= 1 << UInt64(position & 63) }
  mutating func formUnion(_ other: PatternPositions) { words |= other.words }

  func union(_ other: PatternPositions) -> PatternPositions { Self(words | other.words) }
  func intersection(_ other: PatternPositions) -> PatternPositions { Self(words & other.words) }
  func subtracting(_ other: PatternPositions) -> PatternPositions { Self(words & ~other.words) }
  func intersects(_ other: PatternPositions) -> Bool { !intersection(other).isEmpty }

  func visit(_ body: (Int) -> Void) {
    for word in 0..<4 {
      var bits = words[word]
      while bits != 0 {
        body(word << 6 + bits.trailingZeroBitCount)
        bits &= bits - 1
      }
    }
  }

  func filter(_ isIncluded: (Int) -> Bool) -> PatternPositions {
    var kept = PatternPositions()
    visit { if isIncluded($0) { kept.insert($0) } }
    return kept
  }

  init() {}
  private init(_ words: SIMD4<UInt64>) { self.words = words }
}
