/// A snapshot as the API answers it.
enum SnapshotCoding {
  static func result(_ snapshot: Snapshot) -> [UInt8] {
    let result = snapshot.result
    var json = JSONWriter(bytesReserved: 4096)
    json.object { json in
      json.member("id", snapshot.id)
      json.member("experiment_id", snapshot.experimentID)
      json.member("computed_at", snapshot.period.asOf)
      json.member("as_of", snapshot.period.asOf)
      json.member("data_through", snapshot.period.end)
      json.member("on_demand", snapshot.isOnDemand)
      json.member("per_variant") { writePrimary(snapshot, to: &$0) }
      json.member("metrics") { json in
        json.array { json in
          for index in result.metrics.indices { writeMetric(index, of: snapshot, to: &json) }
        }
      }
      json.member("srm_chi_squared_p", result.sampleRatio.pValue)
      json.member("srm_warning", result.sampleRatio.isWarning)
      json.member("srm", result.sampleRatio)
      json.member("decision_rule_satisfied", result.decision.isSatisfied)
      json.member("decision") { write(result.decision, to: &$0) }
      json.member("peek_count_at_computation", snapshot.peekCount)
      json.member("sequential") { writeSequential(snapshot, to: &$0) }
      json.member("late_event_count", snapshot.metrics.first?.lateEventCount ?? 0)
      json.member("invalid_value_count", snapshot.metrics.first?.invalidValueCount ?? 0)
      json.member("weights_changed_since_start", result.weightsChanged)
      json.member("multi_variant_units", snapshot.multiVariantUnits)
      json.member("duration_ms", snapshot.durationMilliseconds)
    }
    return json.bytes
  }

  /// The contract's `per_variant`: of the primary metric, else of the units alone.
  private static func writePrimary(_ snapshot: Snapshot, to json: inout JSONWriter) {
    if let primary = snapshot.result.metrics.first {
      json.array(primary.perVariant) { write($1, withLift: false, to: &$0) }
      return
    }
    // Without a metric nothing is known of any rate but that it is one.
    json.array(zip(snapshot.inputs.variants, snapshot.result.units)) { json, pair in
      json.object { json in
        json.member("variant_key", pair.0.key)
        json.member("is_control", pair.0.isControl)
        json.member("sample_size", pair.1)
        json.member("conversions", 0)
        json.member("observed_rate", 0.0)
        json.member("posterior") { json in
          json.object { json in
            json.member("mean", 0.5)
            json.member("credible_interval_95", [0.025, 0.975])
          }
        }
      }
    }
  }

  private static func writeMetric(_ index: Int, of snapshot: Snapshot, to json: inout JSONWriter) {
    let facts = snapshot.metrics[index]
    let violations = snapshot.result.decision.guardrailViolations
    json.object { json in
      json.member("metric_id", facts.metric.id)
      json.member("metric_key", facts.metric.definition.key)
      json.member("role", index == 0 ? "primary" : "guardrail")
      json.member("kind", facts.metric.definition.kind.rawValue)
      json.member("aggregation", facts.metric.definition.aggregation.rawValue)
      json.member("desired_direction", facts.metric.definition.desiredDirection.rawValue)
      json.member("per_variant", array: snapshot.result.metrics[index].perVariant) {
        write($1, withLift: true, to: &$0)
      }
      json.member("late_event_count", facts.lateEventCount)
      json.member("invalid_value_count", facts.invalidValueCount)
      json.member(
        "guardrail_violated_by",
        violations.filter { $0.metricKey == facts.metric.definition.key }.map(\.variantKey))
    }
  }

  private static func write(_ variant: VariantResult, withLift: Bool, to json: inout JSONWriter) {
    json.object { json in
      json.member("variant_key", variant.variantKey)
      json.member("is_control", variant.isControl)
      json.member("sample_size", variant.units)
      json.member("conversions", variant.conversions)
      json.member("observed_rate", variant.observedRate)
      json.member("posterior") { json in
        json.object { json in
          json.member("mean", variant.posteriorMean)
          json.member("credible_interval_95", bounds(variant.credibleInterval95))
        }
      }
      if let probBest = variant.probBest { json.member("prob_best", probBest) }
      if let loss = variant.expectedLoss { json.member("expected_loss_if_stop_now", loss) }
      guard withLift else { return }
      json.member("lift") { json in
        guard let lift = variant.lift else { return json.null() }
        json.object { json in
          json.member("difference", lift.difference)
          json.member("difference_interval_95", bounds(lift.differenceInterval95))
          json.member("relative", lift.relative)
          json.member("prob_better", lift.probBetter)
        }
      }
    }
  }

  private static func write(_ decision: DecisionResult, to json: inout JSONWriter) {
    json.object { json in
      json.member("winner", decision.winner)
      json.member("outcome", decision.outcome.rawValue)
      json.member("recommendation", decision.recommendation.rawValue)
      json.member("reasons", array: decision.reasons) { json, reason in
        json.object { json in
          json.member("code", reason.code.rawValue)
          json.member("detail", reason.detail)
        }
      }
    }
  }

  /// Null under the posterior rule, which has no process.
  private static func writeSequential(_ snapshot: Snapshot, to json: inout JSONWriter) {
    let rule = snapshot.inputs.rule
    guard rule.method != .posteriorThreshold, !snapshot.inputs.metrics.isEmpty else {
      return json.null()
    }
    let decision = snapshot.result.decision
    json.object { json in
      json.member("method", rule.method.rawValue)
      json.member("alpha", 1 - rule.posteriorThreshold)
      json.member("per_variant", array: snapshot.inputs.liveTreatments) { json, index in
        json.object { json in
          json.member("variant_key", snapshot.inputs.variants[index].key)
          json.member("p_value", decision.runningP[index])
          json.member("holm_p_value", decision.holmP[index])
          json.member("log_e", decision.looks[index]?.logE)
          json.member("difference_interval", decision.looks[index]?.interval.map(bounds))
        }
      }
    }
  }

  private static func bounds(_ interval: Interval) -> [Double] { [interval.lower, interval.upper] }
}

extension SampleRatio: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("chi_squared", chiSquared)
      json.member("degrees_of_freedom", degreesOfFreedom)
      json.member("p_value", pValue)
      json.member("log_e", logE)
      json.member("sequential_p", sequentialP)
      json.member("reliable", isReliable)
      json.member("warning", isWarning)
    }
  }
}
