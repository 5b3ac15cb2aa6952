/// Each live treatment tested against the control, valid whenever one looks.
struct SequentialTests {
  /// The p-value process: the smallest p of all snapshots with enough units in both arms.
  let runningP: [Double?]
  /// Holm's correction over the live treatments.
  let holmP: [Double?]
  /// The variant that the corrected p-values and the current estimates name.
  let winner: Int?
  init(_ inputs: SnapshotInputs, _ metric: MetricInputs) {
    let treatments = inputs.liveTreatments
    var running: [Double?] = inputs.variants.map { _ in nil }
    var holm = running
    let alpha = 1 - inputs.rule.posteriorThreshold
    for index in treatments {
      let previous =
        inputs.previousRunningP.indices.contains(index) ? inputs.previousRunningP[index] : nil
      let isEnough = [index, inputs.control].allSatisfy {
        metric.sample.units[$0] >= inputs.rule.minSamplePerVariant
      }
      let now =
        isEnough ? Self.look(inputs, metric, treatment: index, alpha: alpha).pValue : 1
      running[index] = min(previous ?? 1, now)
    }
    let corrected = Multiplicity.holm(treatments.map { running[$0] ?? 1 })
    for (index, p) in zip(treatments, corrected) { holm[index] = p }
    (runningP, holmP) = (running, holm)
    winner = Self.winner(inputs, metric, holm)
  }

  /// What the current data alone say of each live treatment, with an interval at the level that is
  /// shared among them.
  static func looks(_ inputs: SnapshotInputs, _ metric: MetricInputs) -> [ConfidenceSequence?] {
    let treatments = inputs.liveTreatments
    let alpha = (1 - inputs.rule.posteriorThreshold) / Double(treatments.count)
    return inputs.variants.indices.map { index in
      treatments.contains(index)
        ? look(inputs, metric, treatment: index, alpha: alpha) : nil
    }
  }

  /// The evidence of one treatment at this snapshot.
  private static func look(
    _ inputs: SnapshotInputs, _ metric: MetricInputs, treatment: Int, alpha: Double
  ) -> ConfidenceSequence {
    let rule = inputs.rule
    let moments = metric.sample.moments
    var isBinary = false
    if case .binary = metric.sample { isBinary = true }
    if isBinary, rule.method == .alwaysValidEValue {
      let logE = ConverterEvidence.logE(
        phases(inputs, metric, treatment: treatment),
        minimumDetectableEffect: rule.minimumDetectableEffect)
      return ConfidenceSequence(logE: logE, interval: nil)
    }
    let pair = ArmDifference(
      moments[treatment], moments[inputs.control], unitsMin: isBinary ? 1 : 2)
    switch rule.method {
    case .sequentialMSPRT:
      return ConfidenceSequence.msprt(
        pair, minimumDetectableEffect: rule.minimumDetectableEffect, alpha: alpha)
    case .alwaysValidEValue, .posteriorThreshold:
      return ConfidenceSequence.asymptotic(
        pair, alpha: alpha,
        unitsTuned: ConfidenceSequence.unitsTuned(minSamplePerVariant: rule.minSamplePerVariant)
      )
    }
  }

  /// Converters by the weights of their assignment; all under today's weights when not split.
  private static func phases(_ inputs: SnapshotInputs, _ metric: MetricInputs, treatment: Int)
    -> [ConverterEvidence.Phase]
  {
    let isSplit =
      !inputs.conversionsByPhase.isEmpty && inputs.conversionsByPhase.count == inputs.phases.count
    let weights = isSplit ? inputs.phases.map(\.weights) : [inputs.variants.map(\.weight)]
    let converters = isSplit ? inputs.conversionsByPhase : [metric.sample.conversions]
    return zip(weights, converters).map { weights, converters in
      ConverterEvidence.Phase(
        weightControl: weights[inputs.control], weightTreatment: weights[treatment],
        convertersControl: converters[inputs.control], convertersTreatment: converters[treatment])
    }
  }

  /// The best of the treatments that are significantly better than the control; else the control
  /// if every treatment is significantly worse.
  private static func winner(_ inputs: SnapshotInputs, _ metric: MetricInputs, _ holm: [Double?])
    -> Int?
  {
    // Closer to α than rounding errors is at α.
    let alpha = (1 - inputs.rule.posteriorThreshold) * (1 + 1e-9)
    let sign = metric.higherIsBetter ? 1.0 : -1.0
    let gains = metric.sample.estimates.map {
      sign * ($0 - metric.sample.estimates[inputs.control])
    }
    let significant = inputs.liveTreatments.filter { (holm[$0] ?? 1) <= alpha }
    let better = significant.filter { gains[$0] > 0 }
    if let largest = better.map({ gains[$0] }).max() {
      return better.first { gains[$0] == largest }
    }
    let allWorse =
      !significant.isEmpty && significant.count == inputs.liveTreatments.count
      && significant.allSatisfy { gains[$0] < 0 }
    return allWorse ? inputs.control : nil
  }
}
