/// Reads an audience expression and notes everything that is wrong with it, each with its place.
struct AudienceParser {
  private let mayNameSegments: Bool
  private var nodeCount = 0
  private var segmentCount = 0
  private var problems: [FieldProblem] = []

  /// The audience that `value` writes, or all that is wrong with it.
  ///
  /// - Parameters:
  ///   - pointer: where the expression stands in what is being read.
  ///   - mayNameSegments: false for the expression of a segment: so there are no cycles.
  static func parse(
    _ value: JSONValue, at pointer: String = "", mayNameSegments: Bool = true
  ) -> Result<Audience, AudienceProblems> {
    var parser = AudienceParser(mayNameSegments: mayNameSegments)
    let expression = parser.expression(value, pointer, level: 1)
    if parser.nodeCount > AudienceExpression.nodesMax {
      parser.note(pointer, "must have at most \(AudienceExpression.nodesMax) nodes")
    }
    if parser.segmentCount > AudienceExpression.segmentsMax {
      parser.note(pointer, "must name at most \(AudienceExpression.segmentsMax) segments")
    }
    guard let expression, parser.problems.isEmpty else {
      return .failure(AudienceProblems(problems: parser.problems))
    }
    return .success(Audience(source: [UInt8](value.source), expression: expression))
  }

  private init(mayNameSegments: Bool) {
    self.mayNameSegments = mayNameSegments
  }

  /// Nil when something is wrong with this node or below it, which is noted.
  private mutating func expression(
    _ value: JSONValue, _ pointer: String, level: Int
  ) -> AudienceExpression? {
    nodeCount += 1
    // Every node is a level deeper than its parent, and too many are refused at once.
    guard nodeCount <= AudienceExpression.nodesMax else { return nil }
    guard level <= AudienceExpression.levelsMax else {
      return note(pointer, "stands deeper than \(AudienceExpression.levelsMax) levels")
    }
    guard value.kind == .object else { return note(pointer, "must be an object") }
    if value["operator"] != nil { return compound(value, pointer, level) }
    if value["segment"] != nil { return segment(value, pointer) }
    if value["attribute"] != nil || value["op"] != nil { return test(value, pointer) }
    return note(
      pointer, "must have operator and operands, or attribute and op, or segment")
  }

  // MARK: The three kinds of node

  private mutating func compound(
    _ value: JSONValue, _ pointer: String, _ level: Int
  ) -> AudienceExpression? {
    let isClosed = allowOnly(["operator", "operands"], value, pointer)
    let name = value["operator"]?.string
    if !["and", "or", "not"].contains(name) {
      note("\(pointer)/operator", "must be one of \"and\", \"or\", \"not\"")
    }
    guard let list = value["operands"], list.kind == .array, !list.elements.isEmpty else {
      return note("\(pointer)/operands", "must be an array of at least one expression")
    }
    if name == "not" && list.elements.count != 1 {
      note("\(pointer)/operands", "must be one expression: it is the operand of \"not\"")
    }
    var operands: [AudienceExpression] = []
    for (index, element) in list.elements.enumerated() {
      guard nodeCount <= AudienceExpression.nodesMax else { return nil }
      let operand = expression(element, "\(pointer)/operands/\(index)", level: level + 1)
      if let operand { operands.append(operand) }
    }
    guard isClosed, operands.count == list.elements.count else { return nil }
    switch name {
    case "and": return .all(operands)
    case "or": return .any(operands)
    case "not": return operands.count == 1 ? .not(operands[0]) : nil
    default: return nil
    }
  }

  private mutating func segment(_ value: JSONValue, _ pointer: String) -> AudienceExpression? {
    segmentCount += 1
    let isClosed = allowOnly(["segment"], value, pointer)
    guard mayNameSegments else {
      return note("\(pointer)/segment", "must not stand in a segment")
    }
    guard let key = value["segment"]?.string, Names.isKey(key, lengthMax: Segment.keyLengthMax)
    else {
      return note("\(pointer)/segment", "must be the key of a segment")
    }
    return isClosed ? .segment(key) : nil
  }

  private mutating func test(_ value: JSONValue, _ pointer: String) -> AudienceExpression? {
    let isClosed = allowOnly(["attribute", "op", "value"], value, pointer)
    let path = path(value["attribute"])
    if path == nil {
      note(
        "\(pointer)/attribute",
        "must be names between dots, of at most \(AudienceTest.attributeBytesMax) bytes in all")
    }
    guard let operation = value["op"]?.string.flatMap(AudienceOperator.init(rawValue:)) else {
      let names = AudienceOperator.allCases.map(\.rawValue).joined(separator: ", ")
      return note("\(pointer)/op", "must be one of \(names)")
    }
    do {
      let condition = try operation.condition(value["value"])
      guard let path, isClosed else { return nil }
      return .test(
        AudienceTest(path: path, condition: condition, isNegated: operation.isNegated))
    } catch {
      let place = error.element.map { "\(pointer)/value/\($0)" } ?? "\(pointer)/value"
      return note(place, "\(error.detail), with \"\(operation.rawValue)\"")
    }
  }

  private func path(_ attribute: JSONValue?) -> [[UInt8]]? {
    guard let bytes = attribute?.stringBytes, bytes.count <= AudienceTest.attributeBytesMax else {
      return nil
    }
    let names = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return names.contains { $0.isEmpty } ? nil : names.map { [UInt8]($0) }
  }

  // MARK: Notes

  private mutating func allowOnly(
    _ names: [String], _ value: JSONValue, _ pointer: String
  ) -> Bool {
    let unknown = value.members.map(\.key).filter { !names.contains($0) }
    for name in unknown {
      note("\(pointer)/\(JSONPointer.escaped(name))", "is not a field of this object")
    }
    return unknown.isEmpty
  }

  @discardableResult
  private mutating func note(_ pointer: String, _ detail: String) -> AudienceExpression? {
    problems.append(FieldProblem(pointer: pointer, detail: detail))
    return nil
  }
}

/// All that is wrong with an audience expression.
struct AudienceProblems: Error, Equatable {
  let problems: [FieldProblem]
}
