// The JSON of what both the API and the stores write.

extension ULID: JSONWritable {
  func write(to writer: inout JSONWriter) { writer.plainString { append(to: &$0) } }
}

extension Timestamp: JSONWritable {
  func write(to writer: inout JSONWriter) { writer.plainString { append(to: &$0) } }
}

extension UnitID: JSONWritable {
  func write(to writer: inout JSONWriter) { writer.string(bytes) }
}

extension DecisionRule: JSONWritable {
  /// Always the full object, with its defaults.
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("method", method.rawValue)
      json.member("posterior_threshold", posteriorThreshold)
      json.member("minimum_detectable_effect", minimumDetectableEffect)
      json.member("min_sample_per_variant", minSamplePerVariant)
      json.member("max_duration_days", maxDurationDays)
      json.member("snapshot_cadence_minutes", snapshotCadenceMinutes)
    }
  }
}

/// As it was given: to a client that compares, an experiment does not change by being read.
extension Audience: JSONWritable {
  func write(to writer: inout JSONWriter) { writer.raw(source) }
}
