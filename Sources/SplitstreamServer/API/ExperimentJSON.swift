extension Experiment: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("workspace_id", workspaceID)
      json.member("environment_id", definition.environmentID)
      json.member("key", definition.key)
      json.member("name", definition.name)
      json.member("hypothesis", definition.hypothesis)
      json.member("unit_type", definition.unitType.rawValue)
      if let attribute = definition.unitAttribute { json.member("unit_attribute", attribute) }
      json.member("assignment_mode", definition.assignmentMode.rawValue)
      json.member("status", status.rawValue)
      json.member("variants", array: definition.variants) { $1.write(to: &$0) }
      json.member("audience", definition.audience)
      json.member("decision_rule", definition.decisionRule)
      json.member("primary_metric_id", definition.primaryMetricID)
      json.member("guardrail_metric_ids", definition.guardrailMetricIDs)
      json.member("mutex_group_id", definition.mutexGroupID)
      definition.plan.writeMembers(to: &json)
      json.member("started_at", startedAt)
      json.member("stopped_at", stoppedAt)
      json.member("paused_at", pausedAt)
      // Left out until then: clients made from the contract know no null here.
      if let stopReason { json.member("stop_reason", stopReason.rawValue) }
      if let outcomeNotes { json.member("outcome_notes", outcomeNotes) }
      json.member("created_at", createdAt)
    }
  }
}

extension ExperimentPlan {
  fileprivate func writeMembers(to json: inout JSONWriter) {
    json.member("description", description)
    json.member("owner", owner)
    json.member("tags", tags)
    json.member("start_at", startAt)
    json.member("stop_at", stopAt)
  }
}

extension Variant: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("key", key)
      json.member("weight", weight)
      if !description.isEmpty { json.member("description", description) }
      json.member("is_control", isControl)
      if let payload { json.member("payload") { $0.raw(payload) } }
    }
  }
}
