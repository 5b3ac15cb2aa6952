/// An audience as the assign path evaluates it: its conditions in one array, each with where to go
/// on when it holds and when it does not. Operators and segments are gone.
struct AudienceProgram: Sendable {
  private var steps: [Step] = []
  private var operands = AudienceOperands()
  private var entry = Step.admitted

  /// One condition. Plain numbers only, so that evaluating it counts no references.
  private struct Step {
    /// Where a path ends that admits, and where one that does not.
    static let admitted = -1
    static let excluded = -2

    let attribute: Int
    let condition: AudienceOperands.Condition
    let onTrue: Int
    let onFalse: Int
  }

  /// - Parameter segments: by key; one that is missing admits nobody.
  init(_ expression: AudienceExpression, segments: [String: AudienceExpression] = [:]) {
    entry = add(expression, Step.admitted, Step.excluded, segments)
  }

  /// Adds the steps of `expression`, the last first, so that each knows where to go on.
  ///
  /// - Returns: its first step.
  private mutating func add(
    _ expression: AudienceExpression, _ onTrue: Int, _ onFalse: Int,
    _ segments: [String: AudienceExpression]
  ) -> Int {
    switch expression {
    case .all(let operands):
      return operands.reversed().reduce(onTrue) { add($1, $0, onFalse, segments) }
    case .any(let operands):
      return operands.reversed().reduce(onFalse) { add($1, onTrue, $0, segments) }
    case .not(let operand):
      return add(operand, onFalse, onTrue, segments)
    case .segment(let key):
      return segments[key].map { add($0, onTrue, onFalse, segments) } ?? onFalse
    case .test(let test):
      let step = Step(
        attribute: operands.add(path: test.path), condition: operands.add(test.condition),
        onTrue: test.isNegated ? onFalse : onTrue, onFalse: test.isNegated ? onTrue : onFalse)
      steps.append(step)
      return steps.count - 1
    }
  }

  /// Whether what a caller says of a unit is in the audience; nil says nothing.
  func admits(_ context: JSONValue?) -> Bool {
    var step = entry
    guard let context else {
      while step >= 0 { step = steps[step].onFalse }
      return step == Step.admitted
    }
    let (nodes, text) = (context.document.nodes, context.document.bytes)
    return admits(context.index, nodes.span, text.span)
  }

  private func admits(_ context: Int, _ nodes: Span<JSONNode>, _ text: Span<UInt8>) -> Bool {
    let steps = steps.span
    var next = entry
    while next >= 0 {
      let step = steps[next]
      if let value = operands.attribute(step.attribute, of: context, nodes, text),
        operands.holds(step.condition, value, nodes, text)
      {
        next = step.onTrue
      } else {
        next = step.onFalse
      }
    }
    return next == Step.admitted
  }
}
