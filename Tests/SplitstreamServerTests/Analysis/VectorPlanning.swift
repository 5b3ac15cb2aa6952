@testable import SplitstreamServer

/// Planning.
extension VectorFunctions {
  static let planning: [String: Function] = [
    "sample_size": { input in
      let size = try plan(input).sampleSize(
        relativeEffect: input.double("mde_rel"),
        weights: input.value("weights") == nil ? [50, 50] : input.ints("weights"),
        control: input.int("control", default: 0))
      guard let size else { return nil }
      return [
        "n_real": .number(size.real), "total": VectorAnswer(size.total),
        "per_variant": VectorAnswer(size.perVariant),
      ]
    },
    "power": { input in
      let power = try plan(input).power(
        relativeEffect: input.double("mde_rel"), unitsControl: input.double("n0"),
        unitsTreatment: input.double("n1"))
      return ["power": VectorAnswer(power)]
    },
    "mde": { input in
      let effect = try plan(input).minimumDetectableEffect(
        unitsControl: input.double("n0"), unitsTreatment: input.double("n1"))
      return ["mde_relative": VectorAnswer(effect)]
    },
    "duration_days": { input in
      let days = Planning.days(
        total: try input.int("total"), dailyUnits: try input.double("daily_units"),
        audienceShare: try input.double("audience_share", default: 1))
      return ["days": days.map { VectorAnswer($0) } ?? .null]
    },
  ]

  private static func plan(_ input: VectorInput) throws -> Planning {
    let isBinary = try input.text("kind", default: "binary") == "binary"
    return Planning(
      kind: isBinary ? .binary : .mean(standardDeviation: try input.double("sd")),
      baseline: try input.double("baseline"), alpha: try input.double("alpha", default: 0.05),
      power: try input.double("power", default: 0.8))
  }
}
