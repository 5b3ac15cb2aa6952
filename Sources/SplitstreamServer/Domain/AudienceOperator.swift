/// The words that a condition may use between an attribute and a value.
enum AudienceOperator: String, CaseIterable, Sendable {
  case equal = "eq"
  case notEqual = "neq"
  case isIn = "in"
  case isNotIn = "not_in"
  case greater = "gt"
  case greaterOrEqual = "gte"
  case less = "lt"
  case lessOrEqual = "lte"
  case contains
  case doesNotContain = "not_contains"
  case startsWith = "starts_with"
  case endsWith = "ends_with"
  case exists
  case doesNotExist = "not_exists"
  case matches
  case versionEqual = "semver_eq"
  case versionGreater = "semver_gt"
  case versionGreaterOrEqual = "semver_gte"
  case versionLess = "semver_lt"
  case versionLessOrEqual = "semver_lte"
  case before
  case after

  var isNegated: Bool {
    switch self {
    case .notEqual, .isNotIn, .doesNotContain, .doesNotExist: true
    default: false
    }
  }

  /// The condition with the operand `value`, absent when it is nil.
  ///
  /// - Throws: `AudienceOperandError`, which says what is wrong with the value.
  func condition(_ value: JSONValue?) throws(AudienceOperandError) -> AudienceTest.Condition {
    switch self {
    case .exists, .doesNotExist:
      // A client that always writes the member says nothing with these two.
      if let value, !value.isNull, value.bool != true { throw .init("takes no value") }
      return .exists
    case .equal, .notEqual: return .equals(try scalar(value))
    case .contains, .doesNotContain:
      let operand = try scalar(value)
      guard case .text(let part) = operand else { return .containsElement(operand) }
      return .containsText(TextPart(part))
    case .isIn, .isNotIn: return .isOneOf(try list(value))
    case .greater: return .compares(.greater, try number(value))
    case .greaterOrEqual: return .compares(.greaterOrEqual, try number(value))
    case .less: return .compares(.less, try number(value))
    case .lessOrEqual: return .compares(.lessOrEqual, try number(value))
    case .startsWith: return .startsWith(try text(value))
    case .endsWith: return .endsWith(try text(value))
    case .matches: return .matches(try pattern(value))
    case .versionEqual: return try version(.equal, value)
    case .versionGreater: return try version(.greater, value)
    case .versionGreaterOrEqual: return try version(.greaterOrEqual, value)
    case .versionLess: return try version(.less, value)
    case .versionLessOrEqual: return try version(.lessOrEqual, value)
    case .before: return .isBefore(try time(value))
    case .after: return .isAfter(try time(value))
    }
  }

  // MARK: Operands

  private func scalar(_ value: JSONValue?) throws(AudienceOperandError) -> AudienceValue {
    switch value?.kind {
    case .string: return .text(try text(value))
    case .number: return .number(try number(value))
    case .bool: return .bool(value?.bool ?? false)
    case .null: throw .init("must not be null; not_exists asks for what is missing")
    case .object, .array, nil: throw .init("must be a string, a number, true or false")
    }
  }

  private func list(_ value: JSONValue?) throws(AudienceOperandError) -> AudienceValues {
    guard let value, value.kind == .array, !value.elements.isEmpty else {
      throw .init("must be an array of at least one string, number, true or false")
    }
    var values: [AudienceValue] = []
    for element in value.elements {
      guard values.count < AudienceTest.valuesMax else {
        throw .init("must have at most \(AudienceTest.valuesMax) values")
      }
      do {
        values.append(try scalar(element))
      } catch {
        throw AudienceOperandError(error.detail, element: values.count)
      }
    }
    return AudienceValues(values)
  }

  private func number(_ value: JSONValue?) throws(AudienceOperandError) -> ExactNumber {
    guard let value, value.kind == .number else { throw .init("must be a number") }
    let source = value.source
    let number = ExactNumber(source.span)
    guard number.isZero || abs(number.magnitude) <= ExactNumber.operandMagnitudeMax else {
      throw .init("must be below 10 to the \(ExactNumber.operandMagnitudeMax), or zero")
    }
    return number
  }

  private func text(_ value: JSONValue?) throws(AudienceOperandError) -> [UInt8] {
    guard let bytes = value?.stringBytes else { throw .init("must be a string") }
    guard bytes.count <= AudienceTest.textBytesMax else {
      throw .init("must be at most \(AudienceTest.textBytesMax) bytes of UTF-8")
    }
    return [UInt8](bytes)
  }

  private func pattern(_ value: JSONValue?) throws(AudienceOperandError) -> TextPattern {
    let text = try text(value)
    do {
      return try TextPattern(text)
    } catch {
      throw .init("is no pattern that matches takes: \(error)")
    }
  }

  private func version(
    _ order: AudienceTest.Order, _ value: JSONValue?
  ) throws(AudienceOperandError) -> AudienceTest.Condition {
    let text = try text(value)
    guard let version = SemanticVersion(text.span) else {
      throw .init("must be a version by semver.org, such as \"2.10.0-beta.1\"")
    }
    return .version(order, version, text: text)
  }

  private func time(_ value: JSONValue?) throws(AudienceOperandError) -> Timestamp {
    guard let time = value?.string.flatMap(Timestamp.init(rfc3339:)) else {
      throw .init("must be a time by RFC 3339, such as \"2026-03-02T00:00:00Z\"")
    }
    return time
  }
}

/// What is wrong with the `value` of a condition.
struct AudienceOperandError: Error, Equatable {
  let detail: String
  /// Which element of the value; nil for the value itself.
  var element: Int?

  init(_ detail: String, element: Int? = nil) {
    self.detail = detail
    self.element = element
  }
}
