/// All that one snapshot reads: brought forward from the last one, in the open transaction.
struct Observations {
  let experiment: Experiment
  let period: ResultStore.Period
  private let units: [ResultStore.UnitCount]
  private let epochs: [WeightEpoch]
  private let metrics: [ObservedMetric]
  /// Of the primary metric, by weight epoch.
  private let conversions: [ResultStore.ConversionCount]

  private struct ObservedMetric {
    let metric: Metric
    let sums: [ResultStore.MetricSums]
  }

  /// Nil when the experiment is gone or has not been started.
  init?(of id: ULID, in session: PostgresSession) throws(PostgresError) {
    let results = ResultStore(session: session)
    let asOf = try results.begin()
    guard let experiment = try results.experiment(id), let startedAt = experiment.startedAt else {
      return nil
    }
    self.experiment = experiment
    period = ResultStore.Period(experiment, startedAt: startedAt, asOf: asOf)
    let definition = experiment.definition
    // Without a primary metric nothing is decided, and guardrails have nothing to guard.
    let named = definition.primaryMetricID.map { [$0] + definition.guardrailMetricIDs } ?? []
    let known = try results.metrics(named)
    let present = named.compactMap { known[$0] }
    let series = try UnitStore(session: session).bringForward(experiment, present, to: period)
    units = try results.units(series)
    epochs = try results.epochs(of: experiment)
    var metrics: [ObservedMetric] = []
    for metric in present {
      guard let values = series.metrics[metric.id] else { continue }
      metrics.append(
        ObservedMetric(metric: metric, sums: try results.sums(values, sample: series.sample)))
    }
    self.metrics = metrics
    let primary = present.first.flatMap { series.metrics[$0.id] }
    conversions =
      try primary.map { values throws(PostgresError) in
        try results.conversions(values)
      } ?? []
  }

  var multiVariantUnits: Int { units.reduce(0) { $0 + $1.multiVariantUnits } }

  var facts: [Snapshot.MetricFacts] {
    metrics.map { entry in
      Snapshot.MetricFacts(
        metric: entry.metric, lateEventCount: entry.sums.reduce(0) { $0 + $1.lateEvents },
        invalidValueCount: entry.sums.reduce(0) { $0 + $1.invalidValues })
    }
  }

  /// - Parameter previousRunningP: by variant key.
  func inputs(previousSequentialP: Double, previousRunningP: [String: Double]) -> SnapshotInputs {
    let variants = experiment.definition.variants
    return SnapshotInputs(
      variants: variants.map {
        SnapshotVariant(key: $0.key, weight: $0.weight, isControl: $0.isControl)
      },
      phases: epochs.map { epoch in
        WeightPhase(
          weights: epoch.allocation.weights,
          counts: variants.map { variant in
            units.first { $0.variantID == variant.id && $0.epoch == epoch.number }?.units ?? 0
          })
      },
      metrics: metrics.map { entry in
        MetricInputs(
          key: entry.metric.definition.key,
          higherIsBetter: entry.metric.definition.desiredDirection == .increase,
          sample: sample(entry))
      },
      rule: experiment.definition.decisionRule,
      conversionsByPhase: epochs.map { epoch in
        variants.map { variant in
          conversions.first { $0.variantID == variant.id && $0.epoch == epoch.number }?
            .conversions ?? 0
        }
      },
      previousSRMSequentialP: previousSequentialP,
      previousRunningP: variants.map { previousRunningP[$0.key] },
      horizonReached: period.horizonReached)
  }

  private func sample(_ observed: ObservedMetric) -> MetricSample {
    let arms = experiment.definition.variants.map { variant in
      (
        units: units.reduce(0) { $0 + ($1.variantID == variant.id ? $1.units : 0) },
        sums: observed.sums.first { $0.variantID == variant.id }
      )
    }
    let definition = observed.metric.definition
    if definition.kind == .binary {
      return .binary(
        arms.map { BinaryCounts(units: $0.units, conversions: $0.sums?.conversions ?? 0) })
    }
    if definition.aggregation == .mean {
      return .ratio(
        arms.map { arm in
          RatioMoments(
            units: arm.units, sum: arm.sums?.amount ?? 0, count: arm.sums?.events ?? 0,
            spreads: arm.sums?.spreads ?? RatioMoments.Spreads(sums: 0, counts: 0, products: 0),
            conversions: arm.sums?.conversions ?? 0)
        })
    }
    return .mean(
      arms.map { arm in
        let degrees = Double(max(1, arm.units - 1))
        return UnitMoments(
          units: arm.units, mean: (arm.sums?.amount ?? 0) / Double(max(1, arm.units)),
          variance: max(0, (arm.sums?.spreads.sums ?? 0) / degrees),
          conversions: arm.sums?.conversions ?? 0)
      })
  }
}
