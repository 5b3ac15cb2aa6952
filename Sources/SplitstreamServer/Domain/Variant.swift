/// One of the things an experiment compares.
struct Variant: Equatable, Sendable {
  let id: ULID
  var key: String
  /// Percent of the units, 0 … 100.
  var weight: Int
  var description = ""
  var isControl: Bool
  /// Any JSON, as received: what the variant means to the program that asks for it.
  var payload: [UInt8]?

  static let weights = 0...100
  static let payloadBytesMax = 4096

  /// What may not change while units see the variant.
  var keyAndPayload: String { key + " " + String(decoding: payload ?? [], as: UTF8.self) }
}

extension [Variant] {
  /// Keys unique, weights that sum to 100, at least two, exactly one control. Numbers and patterns
  /// of a single variant are checked where they are read.
  func problems(at pointer: String) -> [FieldProblem] {
    var problems: [FieldProblem] = []
    if count < 2 {
      problems.append(FieldProblem(pointer: pointer, detail: "must hold at least two variants"))
    }
    if count > 20 {
      problems.append(FieldProblem(pointer: pointer, detail: "must hold at most 20 variants"))
    }
    var seen: Set<String> = []
    for (index, variant) in enumerated() where !seen.insert(variant.key).inserted {
      problems.append(
        FieldProblem(
          pointer: "\(pointer)/\(index)/key",
          detail: "\"\(variant.key)\" stands twice; keys must be unique"))
    }
    // A weight out of its range is a mistake of its own; any number may stand there, and sums of
    // such can overflow.
    if allSatisfy({ Variant.weights.contains($0.weight) }) {
      let sum = reduce(0) { $0 + $1.weight }
      if sum != 100 {
        problems.append(
          FieldProblem(pointer: pointer, detail: "weights must sum to 100; they sum to \(sum)"))
      }
    }
    for (index, variant) in enumerated().filter({ $1.isControl }).dropFirst() {
      problems.append(
        FieldProblem(
          pointer: "\(pointer)/\(index)/is_control",
          detail: "\"\(variant.key)\" is a second control; mark exactly one"))
    }
    return problems
  }

  /// Puts these into the order of `others`; those that it does not have come last.
  mutating func sort(like others: [Variant]) {
    let missing = filter { variant in !others.contains { $0.key == variant.key } }
    self = others.compactMap { other in first { $0.key == other.key } } + missing
  }

  /// The first variant is the control when none is marked.
  func withControl() -> [Variant] {
    guard !isEmpty, !contains(where: \.isControl) else { return self }
    var marked = self
    marked[0].isControl = true
    return marked
  }
}
