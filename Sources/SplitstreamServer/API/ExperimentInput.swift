/// Reads ExperimentInput: whole for a creation, any subset of it for a change.
enum ExperimentInput {
  private static let fields = [
    "environment_id", "key", "name", "hypothesis", "unit_type", "unit_attribute", "assignment_mode",
    "variants",
    "audience", "decision_rule", "primary_metric_id", "guardrail_metric_ids", "mutex_group_id",
    "description", "owner", "tags", "start_at", "stop_at",
  ]

  /// A definition from a whole body; variants get ids of their own.
  static func read(_ body: BodyReader, ids: IDSource) throws(APIError) -> ExperimentDefinition {
    body.require(["environment_id", "key", "name", "hypothesis", "unit_type", "variants"])
    let nothing = ULID(high: 0, low: 0)
    var definition = ExperimentDefinition(
      environmentID: nothing, key: "", name: "", hypothesis: "", unitType: .user, variants: [])
    apply(body, to: &definition, ids: ids)
    // What is missing is noted as such; its rules have nothing to say about a placeholder.
    if body.has("variants") || body.problems.isEmpty { noteRules(of: definition, in: body) }
    try body.finish()
    return definition
  }

  /// `current` with the members that `body` has.
  static func read(
    _ body: BodyReader, changing current: ExperimentDefinition, ids: IDSource
  ) throws(APIError) -> ExperimentDefinition {
    var definition = current
    apply(body, to: &definition, ids: ids)
    noteRules(of: definition, in: body)
    try body.finish()
    return definition
  }

  private static func noteRules(of definition: ExperimentDefinition, in body: BodyReader) {
    for problem in definition.problems() {
      body.note(String(problem.pointer.dropFirst()), problem.detail)
    }
  }

  private static func apply(
    _ body: BodyReader, to definition: inout ExperimentDefinition, ids: IDSource
  ) {
    body.allowOnly(fields)
    func set<T>(_ field: WritableKeyPath<ExperimentDefinition, T>, _ value: T?) {
      if let value { definition[keyPath: field] = value }
    }
    set(\.environmentID, body.present("environment_id", body.id("environment_id")))
    set(\.key, body.present("key", body.key("key", lengthMax: 128)))
    set(\.name, body.present("name", body.text("name", bytes: 1...200)))
    set(\.hypothesis, body.present("hypothesis", body.text("hypothesis", bytes: 1...10_000)))
    set(
      \.unitType,
      body.present("unit_type", body.choice("unit_type", ExperimentDefinition.UnitType.self)))
    set(
      \.assignmentMode,
      body.present(
        "assignment_mode", body.choice("assignment_mode", ExperimentDefinition.AssignmentMode.self))
    )
    set(
      \.guardrailMetricIDs, body.present("guardrail_metric_ids", body.ids("guardrail_metric_ids")))
    setOptional(&definition.unitAttribute, body.text("unit_attribute", bytes: 1...200))
    setOptional(&definition.primaryMetricID, body.id("primary_metric_id"))
    setOptional(&definition.mutexGroupID, body.id("mutex_group_id"))
    if let variants = body.present("variants", body.objects("variants")) {
      definition.variants = read(variants, keeping: definition.variants, ids: ids)
    }
    if let rule = body.present("decision_rule", body.object("decision_rule")) {
      apply(rule, to: &definition.decisionRule)
    }
    apply(body, to: &definition.plan)
    setOptional(&definition.audience, body.audience("audience"))
  }

  private static func apply(_ body: BodyReader, to plan: inout ExperimentPlan) {
    if let text = body.present("description", body.text("description", bytes: 0...10_000)) {
      plan.description = text
    }
    setOptional(&plan.owner, body.text("owner", bytes: 1...200))
    if let tags = body.present("tags", body.texts("tags")) { plan.tags = tags }
    setOptional(&plan.startAt, body.time("start_at"))
    setOptional(&plan.stopAt, body.time("stop_at"))
  }

  private static func setOptional<T>(_ field: inout T?, _ given: BodyReader.Given<T>) {
    switch given {
    case .absent: break
    case .null: field = nil
    case .value(let value): field = value
    }
  }

  private static func apply(_ body: BodyReader, to rule: inout DecisionRule) {
    body.allowOnly([
      "method", "posterior_threshold", "minimum_detectable_effect", "min_sample_per_variant",
      "max_duration_days",
      "snapshot_cadence_minutes",
    ])
    func set<T>(_ field: WritableKeyPath<DecisionRule, T>, _ value: T?) {
      if let value { rule[keyPath: field] = value }
    }
    set(\.method, body.present("method", body.choice("method", DecisionRule.Method.self)))
    set(
      \.posteriorThreshold, body.present("posterior_threshold", body.number("posterior_threshold")))
    set(
      \.minimumDetectableEffect,
      body.present("minimum_detectable_effect", body.number("minimum_detectable_effect")))
    set(
      \.minSamplePerVariant,
      body.present("min_sample_per_variant", body.integer("min_sample_per_variant")))
    set(\.maxDurationDays, body.present("max_duration_days", body.integer("max_duration_days")))
    set(
      \.snapshotCadenceMinutes,
      body.present("snapshot_cadence_minutes", body.integer("snapshot_cadence_minutes")))
  }

  /// A variant keeps its id, and so its units, as long as it keeps its key; its payload until
  /// another is given.
  private static func read(_ bodies: [BodyReader], keeping current: [Variant], ids: IDSource)
    -> [Variant]
  {
    bodies.map { body in
      body.allowOnly(["key", "weight", "description", "is_control", "payload"])
      body.require(["key", "weight"])
      let key = body.present("key", body.key("key", lengthMax: 64)) ?? ""
      let weight = body.present("weight", body.integer("weight"))
      if let weight, !Variant.weights.contains(weight) {
        body.note("weight", "must be from 0 to 100")
      }
      let old = current.first { $0.key == key }
      var payload = old?.payload
      setOptional(&payload, body.json("payload", bytesMax: Variant.payloadBytesMax))
      return Variant(
        id: old?.id ?? ids.make(), key: key, weight: weight ?? .min,
        description: body.text("description", bytes: 0...2000).valueOrNil ?? "",
        isControl: body.present("is_control", body.boolean("is_control")) ?? false,
        payload: payload)
    }.withControl()
  }
}
