@testable import SplitstreamServer

/// Fixed-horizon tests and the other estimators.
extension VectorFunctions {
  static let fixedHorizon: [String: Function] = [
    "welch": { input in
      func arm(_ name: String) throws -> UnitMoments {
        UnitMoments(
          units: try input.int("n_\(name)"), mean: try input.double("mean_\(name)"),
          variance: try input.double("variance_\(name)"))
      }
      let test = try FixedHorizonTest.welch(
        treatment: arm("treatment"), control: arm("control"),
        level: input.double("level", default: 0.95))
      guard let test else { return nil }
      return [
        "diff": .number(test.difference), "se": .number(test.standardError),
        "t": .number(test.statistic), "df": VectorAnswer(test.degreesOfFreedom),
        "p_value": .number(test.pValue), "ci": interval(test.interval),
        "relative_lift": VectorAnswer(test.relativeLift),
        "relative_se": VectorAnswer(test.relativeStandardError),
        "relative_ci": interval(test.relativeInterval),
      ]
    },
    "two_proportion": { input in
      func arm(_ name: String) throws -> BinaryCounts? {
        let units = try input.int("n_\(name)")
        let conversions = try input.int("conversions_\(name)")
        return units == 0 ? nil : BinaryCounts(units: units, conversions: conversions)
      }
      let level = try input.double("level", default: 0.95)
      let (treatment, control) = try (arm("treatment"), arm("control"))
      guard let treatment, let control,
        let test = FixedHorizonTest.proportions(
          treatment: treatment, control: control, level: level)
      else { return nil }
      return [
        "diff": .number(test.difference), "z": .number(test.statistic),
        "p_value": .number(test.pValue), "ci": interval(test.interval),
        "relative_lift": VectorAnswer(test.relativeLift),
        "relative_ci": interval(test.relativeInterval),
      ]
    },
    "recommend_fixed": { input in
      let advice = FixedHorizonAdvice(
        unitsMin: try input.int("n_min"), minimumSample: try input.int("minimum_sample"),
        pValue: try input.double("p_value"), probBetter: try input.double("prob_better"),
        lift: try input.double("lift"), probMeaningful: try input.double("prob_meaningful"),
        level: try input.double("level", default: 0.95),
        srmWarning: try input.bool("srm", default: false),
        guardrailViolated: try input.bool("guardrail_violated", default: false))
      return [
        "recommendation": .text(advice.recommendation.rawValue),
        "confidence": .text(advice.confidence.rawValue),
      ]
    },
  ]

  static let estimators: [String: Function] = [
    "cuped": { input in
      let sums = try input.objects("arms").map { arm in
        Cuped.Sums(
          units: try arm.int("n"), y: try arm.double("sy"), yy: try arm.double("syy"),
          x: try arm.double("sx"), xx: try arm.double("sxx"), xy: try arm.double("sxy"))
      }
      let cuped = Cuped(sums)
      return [
        "theta": .number(cuped.theta),
        "arms": .list(
          cuped.arms.map { arm in
            [
              "n": VectorAnswer(arm.raw.units), "mean": .number(arm.adjusted.mean),
              "var": .number(arm.adjusted.variance), "raw_mean": .number(arm.raw.mean),
              "raw_var": .number(arm.raw.variance),
            ]
          }),
        "variance_reduction": VectorAnswer(cuped.arms.map(\.varianceReduction)),
      ]
    },
    "post_stratify": { input in
      func moments(_ arm: VectorInput) throws -> UnitMoments {
        UnitMoments(
          units: try arm.int("n"), mean: try arm.double("mean"),
          variance: try arm.double("variance"))
      }
      let strata = try input.objects("strata").map { stratum in
        PostStratification.Stratum(
          control: try moments(stratum.object("control")),
          treatment: try moments(stratum.object("treatment")))
      }
      let level = try input.double("level", default: 0.95)
      guard let result = PostStratification(strata, level: level) else { return nil }
      return [
        "diff": .number(result.difference), "se": .number(result.standardError),
        "z": .number(result.z), "p_value": .number(result.pValue),
        "ci": interval(result.interval), "strata_used": VectorAnswer(result.strataUsed),
      ]
    },
    "quantile_metric": { input in
      let estimate = QuantileEstimate(
        try input.doubles("values"), quantile: try input.double("q"),
        level: try input.double("level", default: 0.95))
      guard let estimate else { return nil }
      return [
        "estimate": .number(estimate.estimate), "ci": interval(estimate.interval),
        "se": VectorAnswer(estimate.standardError),
      ]
    },
    "winsorise": { input in
      let arms = try input.list("arms").map { arm in
        try VectorInput.list(arm, "arms").map { try VectorInput.double($0, "arms") }
      }
      let result = Winsorisation(
        arms, quantile: try input.double("q"),
        ignoreZeros: try input.bool("ignore_zeros", default: false))
      return [
        "cap": VectorAnswer(result.cap), "arms": .list(result.arms.map { VectorAnswer($0) }),
      ]
    },
    "bandit_weights": { input in
      VectorAnswer(
        BanditWeights.percents(
          probBest: try input.doubles("prob_best"), floor: try input.double("floor", default: 0)))
    },
  ]
}
