/// Reads the syntax that `TextPattern` describes; what it does not describe is refused.
struct PatternParser {
  /// Groups within each other; each is a few frames of the stack.
  private static let groupDepthMax = 32

  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var groupDepth = 0

  init(_ pattern: String) {
    scalars = Array(pattern.unicodeScalars)
  }

  mutating func parse() throws(TextPatternError) -> PatternSyntax {
    let syntax = try choice()
    guard position == scalars.count else { throw error("a \")\" without its \"(\"") }
    return syntax
  }

  // MARK: From the outside in

  private mutating func choice() throws(TextPatternError) -> PatternSyntax {
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(TextPatternError) -> PatternSyntax {
    var parts: [PatternSyntax] = []
    while let next = peek, next != "|", next != ")" {
      let part = try atom()
      parts.append(try quantified(part))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func atom() throws(TextPatternError) -> PatternSyntax {
    let start = position
    let scalar = scalars[position]
    position += 1
    switch scalar {
    case ".": return .scalar(.anyButLineFeed)
    case "^": return .start
    case "$": return .end
    case "(": return try group()
    case "[": return .scalar(try characterClass())
    case "\\": return .scalar(try escape())
    case "*", "+", "?", "{":
      throw .syntax("\"\(scalar)\" repeats nothing", at: start)
    case "]", "}":
      throw .syntax("\"\(scalar)\" must be written \"\\\(scalar)\"", at: start)
    default: return .scalar(.only(scalar))
    }
  }

  private mutating func group() throws(TextPatternError) -> PatternSyntax {
    if take("?") && !take(":") { throw error("of the groups with \"?\" there is \"(?:…)\" only") }
    groupDepth += 1
    guard groupDepth <= Self.groupDepthMax else {
      throw error("groups nested deeper than \(Self.groupDepthMax)")
    }
    let inner = try choice()
    guard take(")") else { throw error("a \"(\" without its \")\"") }
    groupDepth -= 1
    return inner
  }

  // MARK: Repetition

  private mutating func quantified(_ part: PatternSyntax) throws(TextPatternError) -> PatternSyntax
  {
    guard let bounds = try quantifier() else { return part }
    if part == .start || part == .end { throw error("an anchor cannot be repeated") }
    if let next = peek, "*+?{".unicodeScalars.contains(next) {
      throw error("a quantifier after a quantifier")
    }
    return .repetition(part, min: bounds.min, max: bounds.max)
  }

  private mutating func quantifier() throws(TextPatternError) -> (min: Int, max: Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    guard take("{") else { return nil }
    let least = try repetitions()
    var most: Int? = least
    if take(",") { most = peek == "}" ? nil : try repetitions() }
    guard take("}") else { throw error("a repetition reads {m}, {m,} or {m,n}") }
    if let most, most < least { throw error("the bounds of a repetition are swapped") }
    return (least, most)
  }

  private mutating func repetitions() throws(TextPatternError) -> Int {
    var value = 0
    let start = position
    while let digit = peek?.value, (0x30...0x39).contains(digit) {
      value = value * 10 + Int(digit - 0x30)
      guard value <= PatternSyntax.repetitionsMax else {
        throw error("at most \(PatternSyntax.repetitionsMax) repetitions")
      }
      position += 1
    }
    guard position > start else { throw error("a repetition reads {m}, {m,} or {m,n}") }
    return value
  }

  // MARK: Characters

  private mutating func characterClass() throws(TextPatternError) -> ScalarSet {
    let isInverted = take("^")
    var set = ScalarSet()
    let first = position
    while let next = peek, next != "]" {
      if next == "[" { throw error("a \"[\" in a class must be written \"\\[\"") }
      if next == "-" && position > first && peek(1) != "]" {
        throw error("a \"-\" in a class stands first, last or in a range")
      }
      let low = try classItem()
      guard let from = low.single, peek == "-", let after = peek(1), after != "]" else {
        set.formUnion(low.set)
        continue
      }
      position += 1
      guard let through = try classItem().single, from <= through else {
        throw error("a range of a class reads from a character to a later one")
      }
      set.insert(from...through)
    }
    guard take("]") else { throw error("a \"[\" without its \"]\"") }
    guard !set.isEmpty else { throw error("an empty class") }
    set.isInverted = isInverted
    return set
  }

  /// - Returns: the characters, and which one when it is one.
  private mutating func classItem() throws(TextPatternError) -> (set: ScalarSet, single: UInt32?) {
    let scalar = scalars[position]
    position += 1
    guard scalar == "\\" else { return (.only(scalar), scalar.value) }
    let set = try escape()
    let isSingle = !set.isInverted && set.ranges.count == 1 && set.ranges[0].count == 1
    return (set, isSingle ? set.ranges[0].lowerBound : nil)
  }

  private mutating func escape() throws(TextPatternError) -> ScalarSet {
    guard let scalar = peek else { throw error("a \"\\\" at the end") }
    position += 1
    switch scalar {
    case "d": return .digits
    case "w": return .words
    case "s": return .spaces
    case "D": return Self.inverted(.digits)
    case "W": return Self.inverted(.words)
    case "S": return Self.inverted(.spaces)
    case "t": return .only("\t")
    case "n": return .only("\n")
    case "r": return .only("\r")
    case "f": return .only("\u{0c}")
    case "v": return .only("\u{0b}")
    default:
      guard scalar.isASCII, (0x21...0x7e).contains(scalar.value),
        !ScalarSet.words.contains(scalar.value) || scalar == "_"
      else {
        throw error("\"\\\(scalar)\" is not known")
      }
      return .only(scalar)
    }
  }

  private static func inverted(_ set: ScalarSet) -> ScalarSet {
    var set = set
    set.isInverted = true
    return set
  }

  // MARK: The text

  private var peek: Unicode.Scalar? { peek(0) }

  private func peek(_ ahead: Int) -> Unicode.Scalar? {
    position + ahead < scalars.count ? scalars[position + ahead] : nil
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    position += 1
    return true
  }

  private func error(_ detail: String) -> TextPatternError { .syntax(detail, at: position) }
}
