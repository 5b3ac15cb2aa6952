/// `POST /v1/calculators/significance`: treatments against a control, tested once at the planned
/// end.
struct SignificanceCalculator {
  /// How the p-values are corrected for the number of treatments.
  enum Correction: String, CaseIterable {
    case none, bonferroni, holm
    case benjaminiHochberg = "benjamini_hochberg"

    func corrected(_ p: [Double]) -> [Double] {
      switch self {
      case .none: p
      case .bonferroni: Multiplicity.bonferroni(p)
      case .holm: Multiplicity.holm(p)
      case .benjaminiHochberg: Multiplicity.benjaminiHochberg(p)
      }
    }
  }

  /// Which alternative the p-value is against.
  enum Alternative: String, CaseIterable {
    case twoSided = "two_sided"
    case greater, less
  }

  /// Counts, or a mean and its standard deviation.
  private enum Arm {
    case binary(BinaryCounts)
    case mean(UnitMoments)
  }

  private let control: Arm
  private let treatments: [Arm]
  private let level: Double
  private let correction: Correction
  private let alternative: Alternative

  private static let treatmentsMax = 100

  init(_ body: BodyReader) throws(APIError) {
    body.allowOnly(["control", "treatments", "level", "correction", "alternative"])
    body.require(["control", "treatments"])
    let control = body.present("control", body.object("control")).map(Self.arm)
    let bodies = body.present("treatments", body.objects("treatments")) ?? []
    if body.has("treatments"), !(1...Self.treatmentsMax).contains(bodies.count) {
      body.note("treatments", "must be 1 to \(Self.treatmentsMax)")
    }
    treatments = bodies.prefix(Self.treatmentsMax).map(Self.arm)
    level = body.present("level", body.number("level")) ?? 0.95
    if !(0.5...1 - 1e-9).contains(level) { body.note("level", "must be from 0.5 to below 1") }
    correction = body.present("correction", body.choice("correction", Correction.self)) ?? .holm
    alternative =
      body.present("alternative", body.choice("alternative", Alternative.self)) ?? .twoSided
    for (index, arm) in treatments.enumerated() {
      switch (arm, control) {
      case (.binary, .mean?), (.mean, .binary?):
        body.note("treatments/\(index)", "must be of the same kind as the control")
      default: break
      }
    }
    try body.finish()
    guard let control else {
      throw .validation([FieldProblem(pointer: "/control", detail: "must be an object")])
    }
    self.control = control
  }

  func answer() -> [UInt8] {
    let tests = treatments.map(test)
    let p = tests.map { test in
      test.map { test in
        switch alternative {
        case .twoSided: test.pValue
        case .greater: test.pValue(.greater)
        case .less: test.pValue(.less)
        }
      }
    }
    // What cannot be tested is not one of the tests that the others are corrected for.
    var corrected = correction.corrected(p.compactMap { $0 })[...]
    return Calculator.object { json in
      json.member("comparisons", array: zip(tests, p)) { json, pair in
        guard let test = pair.0, let p = pair.1, let adjusted = corrected.popFirst() else {
          return json.null()
        }
        json.object { json in
          json.member("difference", test.difference)
          json.member("difference_interval", [test.interval.lower, test.interval.upper])
          json.member("relative_lift", test.relativeLift)
          json.member("relative_interval", test.relativeInterval.map { [$0.lower, $0.upper] })
          json.member("statistic", test.statistic)
          json.member("degrees_of_freedom", test.degreesOfFreedom)
          json.member("p_value", p)
          json.member("corrected_p_value", adjusted)
          json.member("significant", adjusted < 1 - level)
        }
      }
    }
  }

  private func test(_ treatment: Arm) -> FixedHorizonTest? {
    switch (treatment, control) {
    case (.binary(let treatment), .binary(let control)):
      FixedHorizonTest.proportions(treatment: treatment, control: control, level: level)
    case (.mean(let treatment), .mean(let control)):
      FixedHorizonTest.welch(treatment: treatment, control: control, level: level)
    default: nil
    }
  }

  private static func arm(_ body: BodyReader) -> Arm {
    body.allowOnly(["units", "conversions", "mean", "standard_deviation"])
    body.require(["units"])
    let units = body.present("units", body.integer("units")) ?? 1
    if !(1...Calculator.unitsMax).contains(units) {
      body.note("units", "must be from 1 to \(Calculator.unitsMax)")
    }
    guard body.has("mean") || body.has("standard_deviation") else {
      body.require(["conversions"])
      let conversions = body.present("conversions", body.integer("conversions")) ?? 0
      guard conversions >= 0, conversions <= units else {
        body.note("conversions", "must be from 0 to the number of units")
        return .binary(BinaryCounts(units: 1, conversions: 0))
      }
      return .binary(BinaryCounts(units: units, conversions: conversions))
    }
    body.require(["mean", "standard_deviation"])
    if body.has("conversions") { body.note("conversions", "goes without a mean only") }
    let mean = body.present("mean", body.number("mean")) ?? 0
    let deviation = body.present("standard_deviation", body.number("standard_deviation")) ?? 0
    if !(abs(mean) < 1e60) { body.note("mean", "must not be beyond 1e60") }
    guard deviation == 0 || (1e-60...1e60).contains(deviation) else {
      body.note("standard_deviation", "must be 0 or from 1e-60 to 1e60")
      return .mean(UnitMoments(units: 1, mean: 0, variance: 0))
    }
    return .mean(
      UnitMoments(units: max(1, units), mean: mean, variance: deviation * deviation))
  }
}
