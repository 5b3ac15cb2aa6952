@testable import SplitstreamServer

/// Evidence, decisions and recommendations.
extension VectorFunctions {
  static let decisions: [String: Function] = [
    "recommend": { input in
      let recommendation = Recommendation(
        isSatisfied: try input.bool("decision_rule_satisfied", default: false),
        winnerIsControl: try input.bool("winner_is_control", default: false),
        srmWarning: try input.bool("srm_warning", default: false),
        leaderViolatesGuardrail: try input.bool("leader_guardrail_violated", default: false),
        horizonReached: try input.bool("horizon_reached", default: false),
        isEnough: try input.bool("min_sample_reached", default: false),
        probMeaningful: try input.double("prob_meaningful"))
      return .text(recommendation.rawValue)
    },
    "evalue_binary": { input in
      let phase = try phase(input)
      let effect = try input.double("minimum_detectable_effect")
      let logE = ConverterEvidence.logE([phase], minimumDetectableEffect: effect)
      return [
        "concentrations": VectorAnswer(
          ConverterEvidence.concentrations(phase, minimumDetectableEffect: effect)),
        "log_e": .number(logE), "p_value": .number(ConfidenceSequence.pValue(logE: logE)),
      ]
    },
    "evalue_binary_phases": { input in
      let logE = ConverterEvidence.logE(
        try input.objects("phases").map(phase),
        minimumDetectableEffect: try input.double("minimum_detectable_effect"))
      return ["log_e": .number(logE), "p_value": .number(ConfidenceSequence.pValue(logE: logE))]
    },
    "evalue_mean": { input in
      let units = try input.double("n_control") + input.double("n_treatment")
      let sequence = ConfidenceSequence.asymptotic(
        ArmDifference(
          difference: try input.double("difference"), variance: try input.double("variance"),
          units: units),
        alpha: try input.double("alpha"), unitsTuned: try input.double("n_star"))
      return [
        "log_e": .number(sequence.logE), "p_value": .number(sequence.pValue),
        "confidence_sequence": interval(sequence.interval),
      ]
    },
    "msprt": { input in
      let isBinary = try input.text("kind") == "binary"
      let (control, treatment) = try (input.object("control"), input.object("treatment"))
      let sample: MetricSample =
        isBinary
        ? .binary(try [counts(control), counts(treatment)])
        : .mean(try [moments(control), moments(treatment)])
      let pair = ArmDifference(
        sample.moments[1], sample.moments[0], unitsMin: isBinary ? 1 : 2)
      let effect = try input.double("minimum_detectable_effect")
      let sequence = ConfidenceSequence.msprt(
        pair, minimumDetectableEffect: effect, alpha: try input.double("alpha"))
      return [
        "difference": VectorAnswer(pair?.difference), "variance": VectorAnswer(pair?.variance),
        "tau": VectorAnswer(
          pair.map { ConfidenceSequence.tau($0, minimumDetectableEffect: effect) }),
        "log_lambda": .number(sequence.logE), "p_value": .number(sequence.pValue),
        "confidence_sequence": interval(sequence.interval),
      ]
    },
    "decide": decide,
    "adjust": { input in
      let p = try input.doubles("p")
      return [
        "bonferroni": VectorAnswer(Multiplicity.bonferroni(p)),
        "holm": VectorAnswer(Multiplicity.holm(p)),
        "benjamini_hochberg": VectorAnswer(Multiplicity.benjaminiHochberg(p)),
      ]
    },
  ]

  private static func phase(_ input: VectorInput) throws -> ConverterEvidence.Phase {
    ConverterEvidence.Phase(
      weightControl: try input.int("weight_control"),
      weightTreatment: try input.int("weight_treatment"),
      convertersControl: try input.int("converters_control"),
      convertersTreatment: try input.int("converters_treatment"))
  }
}
