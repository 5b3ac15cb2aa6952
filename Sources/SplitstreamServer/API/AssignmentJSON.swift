/// How an assignment is answered.
enum AssignmentJSON {
  static func write(
    _ outcome: AssignmentOutcome, of unit: UnitID, in experiment: RunningExperiment,
    to json: inout JSONWriter
  ) {
    json.object { json in
      // The keys of experiments and variants need no escapes: `Names.isKey`.
      json.member("experiment_key") { json in
        experiment.key.bytes.withUnsafeBufferPointer { json.plainString($0) }
      }
      json.member("unit_id", unit)
      writeMembers(outcome, in: experiment, to: &json)
    }
  }

  /// What follows the names of the experiment and the unit.
  static func writeMembers(
    _ outcome: AssignmentOutcome, in experiment: RunningExperiment, to json: inout JSONWriter
  ) {
    switch outcome {
    case .assigned(let assignment):
      let index = experiment.variants.firstIndex { $0.id == assignment.variantID }
      json.member("variant") { json in
        guard let index else { return json.null() }
        json.plainString { $0.append(contentsOf: experiment.variants[index].key.utf8) }
      }
      json.member("assignment_id", assignment.id)
      json.member("reason") { json in
        switch assignment.reason {
        case .bucketed: json.plainString("bucketed")
        case .forced: json.plainString("forced")
        }
      }
      if let index, let payload = experiment.variants[index].payload {
        json.member("payload") { $0.raw(payload) }
      }
      json.member("exposure_logged_at", assignment.exposureLoggedAt)
    case .heldOut:
      writeNobody("mutex_holdout", nil, to: &json)
    case .excluded(let exclusion):
      // Generated clients know the contract's reasons only; what is more precise has a field of its
      // own.
      writeNobody("audience_excluded", exclusion, to: &json)
    }
  }

  private static func writeNobody(
    _ reason: String, _ exclusion: Exclusion?, to json: inout JSONWriter
  ) {
    json.member("variant", String?.none)
    json.member("reason", reason)
    if let exclusion { json.member("exclusion", exclusion.rawValue) }
    json.member("exposure_logged_at", String?.none)
  }
}
