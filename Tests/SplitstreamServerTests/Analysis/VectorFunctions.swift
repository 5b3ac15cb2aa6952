@testable import SplitstreamServer

/// The kinds of vectors, by the name of the function that each one calls.
enum VectorFunctions {
  typealias Function = @Sendable (VectorInput) throws -> VectorAnswer

  static let all: [String: Function] = [
    posteriors, decisions, fixedHorizon, estimators, planning, ["unit_values": unitValues],
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }
}
