@testable import SplitstreamServer

/// Posteriors, sample ratio and durations.
extension VectorFunctions {
  static let posteriors: [String: Function] = [
    "binary_snapshot": { input in
      let arms = try input.objects("arms").map(counts)
      return try snapshot(.binary(arms), input)
    },
    "mean_snapshot": { input in
      let arms = try input.objects("arms").map(moments)
      return try snapshot(.mean(arms), input)
    },
    "ratio_snapshot": { input in
      let arms = try input.objects("arms").map(ratio)
      guard case .object(var answer) = try snapshot(.ratio(arms), input) else { return nil }
      answer["ratio"] = answer.removeValue(forKey: "observed_rate")
      answer["variance_per_unit"] = VectorAnswer(arms.map(\.variance))
      return .object(answer)
    },
    "lift_binary": { input in
      let arms = try [counts(input.object("treatment")), counts(input.object("control"))]
      return try lift(MetricSample.binary(arms).posteriors, input)
    },
    "lift_mean": { input in
      let arms = try [moments(input.object("treatment")), moments(input.object("control"))]
      return try lift(MetricSample.mean(arms).posteriors, input)
    },
    "srm": { input in
      let phases = try input.objects("phases").map {
        WeightPhase(weights: try $0.ints("weights"), counts: try $0.ints("counts"))
      }
      let result = SampleRatio(phases)
      return [
        "chi_squared": VectorAnswer(result.chiSquared),
        "df": VectorAnswer(result.degreesOfFreedom), "p_value": VectorAnswer(result.pValue),
        "log_e": VectorAnswer(result.logE), "sequential_p": VectorAnswer(result.sequentialP),
        "reliable": VectorAnswer(result.isReliable), "warning": VectorAnswer(result.isWarning),
      ]
    },
    "iso_duration": { input in
      ["seconds": VectorAnswer(ISODuration(try input.text("text"))?.seconds)]
    },
  ]

  private static func snapshot(_ sample: MetricSample, _ input: VectorInput) throws
    -> VectorAnswer
  {
    let posteriors = sample.posteriors
    let best = BestArm(
      posteriors, higherIsBetter: try input.bool("higher_is_better", default: true))
    return [
      "posterior_mean": VectorAnswer(posteriors.map(\.mean)),
      "credible_interval_95": .list(posteriors.map { interval($0.interval) }),
      "prob_best": VectorAnswer(best.probabilities),
      "expected_loss": VectorAnswer(best.expectedLosses),
      "observed_rate": VectorAnswer(sample.estimates),
    ]
  }

  private static func lift(_ posteriors: [ArmPosterior], _ input: VectorInput) throws
    -> VectorAnswer
  {
    let lift = Lift(of: posteriors[0], over: posteriors[1])
    return [
      "prob_lift_at_least": VectorAnswer(
        lift.probability(atLeast: try input.double("relative_lift"))),
      "difference_interval_95": interval(lift.differenceInterval()),
    ]
  }

  static func counts(_ arm: VectorInput) throws -> BinaryCounts {
    BinaryCounts(units: try arm.int("n"), conversions: try arm.int("conversions"))
  }

  static func moments(_ arm: VectorInput) throws -> UnitMoments {
    UnitMoments(
      units: try arm.int("n"), sum: try arm.double("sum"), sumSquares: try arm.double("sum_squares")
    )
  }

  private static func ratio(_ arm: VectorInput) throws -> RatioMoments {
    RatioMoments(
      units: try arm.int("n"), sum: try arm.double("sum"), count: try arm.double("count"),
      sumSquares: try arm.double("sum_squares"), countSquares: try arm.double("count_squares"),
      sumCountProducts: try arm.double("sum_count_products"))
  }

  static func interval(_ interval: Interval?) -> VectorAnswer {
    interval.map { VectorAnswer([$0.lower, $0.upper]) } ?? .null
  }
}
