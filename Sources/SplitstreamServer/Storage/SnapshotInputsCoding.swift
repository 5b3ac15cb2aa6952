/// What a snapshot can be computed again from, and what the next one needs of it.
enum SnapshotInputsCoding {
  static func inputs(_ snapshot: Snapshot) -> [UInt8] {
    let inputs = snapshot.inputs
    var json = JSONWriter(bytesReserved: 2048)
    json.object { json in
      json.member("started_at", snapshot.period.startedAt)
      json.member("as_of", snapshot.period.asOf)
      json.member("end", snapshot.period.end)
      json.member("variants", array: inputs.variants) { json, variant in
        json.object { json in
          json.member("key", variant.key)
          json.member("weight", variant.weight)
          json.member("is_control", variant.isControl)
        }
      }
      json.member("phases", array: inputs.phases) { json, phase in
        json.object { json in
          json.member("weights", phase.weights)
          json.member("counts", phase.counts)
        }
      }
      json.member("metrics", array: inputs.metrics) { json, metric in
        json.object { json in
          json.member("key", metric.key)
          json.member("higher_is_better", metric.higherIsBetter)
          json.member("sample") { write(metric.sample, to: &$0) }
        }
      }
      json.member("conversions_by_phase", inputs.conversionsByPhase)
      json.member("rule", inputs.rule)
      json.member("previous_srm_sequential_p", inputs.previousSRMSequentialP)
      json.member("previous_running_p", inputs.previousRunningP)
      json.member("horizon_reached", inputs.horizonReached)
    }
    return json.bytes
  }

  private static func write(_ sample: MetricSample, to json: inout JSONWriter) {
    switch sample {
    case .binary(let counts):
      json.array(counts) { json, count in
        json.object { json in
          json.member("units", count.units)
          json.member("conversions", count.conversions)
        }
      }
    case .mean(let arms):
      json.array(arms) { json, arm in
        json.object { json in
          json.member("units", arm.units)
          json.member("conversions", arm.conversions)
          json.member("mean", arm.mean)
          json.member("variance", arm.variance)
        }
      }
    case .ratio(let arms):
      json.array(arms) { json, arm in
        json.object { json in
          json.member("units", arm.units)
          json.member("conversions", arm.conversions)
          json.member("ratio", arm.ratio)
          json.member("variance", arm.variance)
          json.member("has_events", arm.hasEvents)
        }
      }
    }
  }

  // MARK: The p-value process

  static func runningP(_ snapshot: Snapshot) -> [UInt8] {
    var json = JSONWriter(bytesReserved: 128)
    json.object { json in
      for (variant, p) in zip(snapshot.inputs.variants, snapshot.result.decision.runningP) {
        guard let p else { continue }
        json.key(variant.key)
        json.double(p)
      }
    }
    return json.bytes
  }

  static func runningP(_ stored: [UInt8]) throws(PostgresError) -> [String: Double] {
    do {
      let pairs = try JSONValue(parsing: stored).members.compactMap { key, value in
        value.double.map { (key, $0) }
      }
      return Dictionary(pairs) { _, last in last }
    } catch {
      throw .decoding("analysis_snapshots.running_p: \(error)")
    }
  }

  /// What a p-value process depends on.
  static func settings(of rule: DecisionRule) -> [UInt8] {
    var json = JSONWriter(bytesReserved: 128)
    json.object { json in
      json.member("method", rule.method.rawValue)
      json.member("posterior_threshold", rule.posteriorThreshold)
      json.member("minimum_detectable_effect", rule.minimumDetectableEffect)
      json.member("min_sample_per_variant", rule.minSamplePerVariant)
    }
    return json.bytes
  }
}
