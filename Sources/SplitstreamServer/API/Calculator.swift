/// The calculators of `POST /v1/calculators/…` and `splitstream-server calculate`: JSON in, JSON
/// out, nothing stored.
enum Calculator: String, CaseIterable, Sendable {
  case sampleSize = "sample-size"
  case power, mde, duration, srm, significance

  /// - Throws: `APIError.validation` with every wrong field, or with the one that makes the
  ///   question unanswerable.
  func answer(_ body: BodyReader) throws(APIError) -> [UInt8] {
    switch self {
    case .sampleSize: try Self.sampleSize(body)
    case .power: try Self.power(body)
    case .mde: try Self.minimumDetectableEffect(body)
    case .duration: try Self.duration(body)
    case .srm: try Self.sampleRatio(body)
    case .significance: try SignificanceCalculator(body).answer()
    }
  }

  /// Enough for any experiment, and a whole number as a double.
  static let unitsMax = 1_000_000_000_000

  // MARK: Planning

  private static let planMembers = [
    "kind", "baseline", "standard_deviation", "alpha", "power", "minimum_detectable_effect",
  ]

  private static func sampleSize(_ body: BodyReader) throws(APIError) -> [UInt8] {
    body.allowOnly(planMembers + ["weights", "control"])
    let plan = plan(body)
    let effect = effect(body)
    let weights = body.present("weights", body.integers("weights")) ?? [50, 50]
    let control = body.present("control", body.integer("control")) ?? 0
    check(weights, in: body)
    if !weights.indices.contains(control) {
      body.note("control", "must be the place of a weight, from 0 on")
    } else if weights[control] <= 0 {
      body.note("control", "must be of a variant whose weight is above 0")
    }
    try body.finish()
    guard
      let size = plan.sampleSize(relativeEffect: effect, weights: weights, control: control)
    else {
      throw unanswerable(
        "/minimum_detectable_effect",
        "no number of units shows this effect: the rate with it must lie between 0 and 1")
    }
    return object { json in
      json.member("total", size.total)
      json.member("per_variant", size.perVariant)
      json.member("total_before_rounding", size.real)
    }
  }

  private static func power(_ body: BodyReader) throws(APIError) -> [UInt8] {
    body.allowOnly(planMembers.filter { $0 != "power" } + ["units_control", "units_treatment"])
    let plan = plan(body)
    let effect = effect(body)
    let units = arms(body)
    try body.finish()
    let power = plan.power(
      relativeEffect: effect, unitsControl: units.control, unitsTreatment: units.treatment)
    guard let power else {
      throw unanswerable(
        "/minimum_detectable_effect", "the rate with this effect must lie between 0 and 1")
    }
    return object { $0.member("power", power) }
  }

  private static func minimumDetectableEffect(_ body: BodyReader) throws(APIError) -> [UInt8] {
    body.allowOnly(
      planMembers.filter { $0 != "minimum_detectable_effect" } + [
        "units_control", "units_treatment",
      ])
    let plan = plan(body)
    let units = arms(body)
    try body.finish()
    // Null: even a rate of 1 would not be seen with this power.
    let effect = plan.minimumDetectableEffect(
      unitsControl: units.control, unitsTreatment: units.treatment)
    return object { $0.member("minimum_detectable_effect", effect) }
  }

  private static func duration(_ body: BodyReader) throws(APIError) -> [UInt8] {
    body.allowOnly(["total_units", "daily_units", "audience_share"])
    body.require(["total_units", "daily_units"])
    let total = body.present("total_units", body.integer("total_units")) ?? 1
    let daily = body.present("daily_units", body.number("daily_units")) ?? 1
    let share = body.present("audience_share", body.number("audience_share")) ?? 1
    if !(1...unitsMax).contains(total) {
      body.note("total_units", "must be from 1 to \(unitsMax)")
    }
    if !(daily > 0 && daily <= 1e12) {
      body.note("daily_units", "must be above 0 and at most 1000000000000")
    }
    if !(share > 0 && share <= 1) {
      body.note("audience_share", "must be above 0 and at most 1")
    }
    try body.finish()
    guard let days = Planning.days(total: total, dailyUnits: daily, audienceShare: share) else {
      throw unanswerable("/daily_units", "the units would never come")
    }
    return object { $0.member("days", days) }
  }

  private static func plan(_ body: BodyReader) -> Planning {
    body.require(["baseline"])
    let kind = body.present("kind", body.choice("kind", PlanKind.self)) ?? .binary
    let baseline = body.present("baseline", body.number("baseline")) ?? 0.5
    let alpha = body.present("alpha", body.number("alpha")) ?? 0.05
    let power = body.present("power", body.number("power")) ?? 0.8
    for (name, probability) in [("alpha", alpha), ("power", power)]
    where !(1e-9...1 - 1e-9).contains(probability) {
      body.note(name, "must lie between 0 and 1")
    }
    switch kind {
    case .binary:
      if !(baseline > 0 && baseline < 1) { body.note("baseline", "must lie between 0 and 1") }
      if body.has("standard_deviation") {
        body.note("standard_deviation", "goes with kind \"mean\" only")
      }
      return Planning(kind: .binary, baseline: baseline, alpha: alpha, power: power)
    case .mean:
      body.require(["standard_deviation"])
      let given = body.present("standard_deviation", body.number("standard_deviation")) ?? 1
      if !(abs(baseline) > 1e-60 && abs(baseline) < 1e60) {
        body.note("baseline", "must not be 0, nor beyond 1e60")
      }
      if !(given > 0 && given < 1e60) {
        body.note("standard_deviation", "must be above 0, and not beyond 1e60")
      }
      return Planning(
        kind: .mean(standardDeviation: given), baseline: baseline, alpha: alpha, power: power)
    }
  }

  private enum PlanKind: String, CaseIterable { case binary, mean }

  private static func effect(_ body: BodyReader) -> Double {
    body.require(["minimum_detectable_effect"])
    let name = "minimum_detectable_effect"
    let effect = body.present(name, body.number(name)) ?? 0.1
    if effect == 0 || !(-1...1e6).contains(effect) {
      body.note(name, "must be from -1 to 1000000, and not 0")
    }
    return effect
  }

  private static func arms(_ body: BodyReader) -> (control: Double, treatment: Double) {
    body.require(["units_control", "units_treatment"])
    func units(_ name: String) -> Double {
      let units = body.present(name, body.integer(name)) ?? 1
      if !(1...unitsMax).contains(units) { body.note(name, "must be from 1 to \(unitsMax)") }
      return Double(units)
    }
    return (units("units_control"), units("units_treatment"))
  }

  // MARK: Sample ratio

  private static func sampleRatio(_ body: BodyReader) throws(APIError) -> [UInt8] {
    body.allowOnly(["weights", "counts"])
    body.require(["weights", "counts"])
    let weights = body.present("weights", body.integers("weights")) ?? []
    let counts = body.present("counts", body.integers("counts")) ?? []
    if body.has("weights") { check(weights, in: body) }
    if counts.count != weights.count {
      body.note("counts", "must be one number for each weight")
    }
    if !counts.allSatisfy({ (0...unitsMax).contains($0) }) {
      body.note("counts", "must be from 0 to \(unitsMax)")
    }
    try body.finish()
    var json = JSONWriter(bytesReserved: 256)
    json.write(SampleRatio([WeightPhase(weights: weights, counts: counts)]))
    return json.bytes
  }

  private static func check(_ weights: [Int], in body: BodyReader) {
    if !(2...100).contains(weights.count) {
      body.note("weights", "must be 2 to 100 numbers")
    } else if !weights.allSatisfy({ (0...1_000_000).contains($0) })
      || weights.count(where: { $0 > 0 }) < 2
    {
      body.note("weights", "must be from 0 to 1000000, and at least two of them above 0")
    }
  }

  // MARK: Answers

  static func object(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter(bytesReserved: 256)
    json.object(write)
    return json.bytes
  }

  private static func unanswerable(_ pointer: String, _ detail: String) -> APIError {
    .validation([FieldProblem(pointer: pointer, detail: detail)])
  }
}
