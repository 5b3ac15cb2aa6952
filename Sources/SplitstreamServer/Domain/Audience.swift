/// Who may take part in an experiment: an expression as its author wrote it, and what it means.
struct Audience: Equatable, Sendable {
  /// The JSON as it was given: stored and answered as it is.
  let source: [UInt8]
  let expression: AudienceExpression

  /// Two that mean the same are equal, however they are written: a client that sends an experiment
  /// back with other white space has not changed its audience.
  static func == (left: Audience, right: Audience) -> Bool { left.expression == right.expression }
}

/// A tree of conditions on what a caller says of a unit.
indirect enum AudienceExpression: Equatable, Sendable {
  /// `and`
  case all([AudienceExpression])
  /// `or`
  case any([AudienceExpression])
  case not(AudienceExpression)
  case test(AudienceTest)
  /// A segment of the workspace, by key.
  case segment(String)

  static let levelsMax = 8
  static let nodesMax = 256
  /// Each stands for up to `nodesMax` nodes more.
  static let segmentsMax = 16
}

/// A condition on one attribute.
struct AudienceTest: Equatable, Sendable {
  static let attributeBytesMax = 256
  static let textBytesMax = 1024
  static let valuesMax = 10_000

  /// Names of members from the context inwards, at least one.
  let path: [[UInt8]]
  let condition: Condition
  /// `neq`, `not_in`, …: true where the condition is false, so also when the attribute is missing.
  let isNegated: Bool

  enum Condition: Equatable, Sendable {
    case exists
    case equals(AudienceValue)
    case isOneOf(AudienceValues)
    case compares(Order, ExactNumber)
    /// A string with this part, or an array with this string.
    case containsText(TextPart)
    /// An array with this element.
    case containsElement(AudienceValue)
    case startsWith([UInt8])
    case endsWith([UInt8])
    case matches(TextPattern)
    case version(Order, SemanticVersion, text: [UInt8])
    case isBefore(Timestamp)
    case isAfter(Timestamp)
  }

  enum Order: Sendable {
    case equal, greater, greaterOrEqual, less, lessOrEqual

    /// - Parameter comparison: of the attribute with the operand; below, at or above zero.
    func holds(_ comparison: Int) -> Bool {
      switch self {
      case .equal: comparison == 0
      case .greater: comparison > 0
      case .greaterOrEqual: comparison >= 0
      case .less: comparison < 0
      case .lessOrEqual: comparison <= 0
      }
    }
  }
}

extension AudienceExpression {
  /// Every segment that is named, with the place of its name under `pointer`.
  func segments(at pointer: String) -> [(key: String, pointer: String)] {
    switch self {
    case .test: []
    case .segment(let key): [(key, "\(pointer)/segment")]
    case .not(let operand): operand.segments(at: "\(pointer)/operands/0")
    case .all(let operands), .any(let operands):
      operands.enumerated().flatMap { $1.segments(at: "\(pointer)/operands/\($0)") }
    }
  }
}
