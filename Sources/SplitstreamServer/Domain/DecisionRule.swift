/// When an experiment counts as decided. The defaults are the calibrated ones of the contract.
struct DecisionRule: Equatable, Sendable {
  enum Method: String, CaseIterable, Sendable {
    case posteriorThreshold = "bayesian.posterior_threshold"
    case alwaysValidEValue = "bayesian.always_valid_evalue"
    case sequentialMSPRT = "frequentist.sequential_msprt"
  }

  var method = Method.posteriorThreshold
  /// 0.5 … 0.9999; the other methods use 1 − threshold as their level.
  var posteriorThreshold = 0.995
  /// Relative to the control's level: 0.02 is 2 %. Does not gate the posterior rule; it tells a
  /// futile experiment.
  var minimumDetectableEffect = 0.02
  /// Units every live variant must have.
  var minSamplePerVariant = 20_000
  /// After so many days of 24 h the data are frozen.
  var maxDurationDays = 28
  var snapshotCadenceMinutes = 240

  /// Every field that is out of its range; `pointer` is where the rule stands.
  func problems(at pointer: String) -> [FieldProblem] {
    var problems: [FieldProblem] = []
    func check(_ isValid: Bool, _ field: String, _ detail: String) {
      if !isValid { problems.append(FieldProblem(pointer: "\(pointer)/\(field)", detail: detail)) }
    }
    check(
      (0.5...0.9999).contains(posteriorThreshold), "posterior_threshold",
      "must be from 0.5 to 0.9999")
    check(
      minimumDetectableEffect > 0 && minimumDetectableEffect <= 100, "minimum_detectable_effect",
      "must be above 0 and at most 100")
    check(
      (1...1_000_000_000_000).contains(minSamplePerVariant), "min_sample_per_variant",
      "must be at least 1")
    check((1...3650).contains(maxDurationDays), "max_duration_days", "must be from 1 to 3650")
    check(
      (1...525_600).contains(snapshotCadenceMinutes), "snapshot_cadence_minutes",
      "must be from 1 to 525600")
    return problems
  }
}
