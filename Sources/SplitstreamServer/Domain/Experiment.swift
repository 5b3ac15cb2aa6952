/// A question put to units: its definition, and where it is in its life.
struct Experiment: Equatable, Sendable {
  enum Status: String, CaseIterable, Sendable { case draft, running, stopped, archived }
  enum StopReason: String, CaseIterable, Sendable { case won, lost, inconclusive, bug, business }

  let id: ULID
  let workspaceID: ULID
  var definition: ExperimentDefinition
  var status: Status
  var startedAt: Timestamp?
  var stoppedAt: Timestamp?
  /// Since when new units are kept out; nil while they are let in.
  var pausedAt: Timestamp?
  var stopReason: StopReason?
  /// What was noted when it was stopped.
  var outcomeNotes: String?
  /// How units are hashed now; nil before the start.
  var weightEpoch: WeightEpoch?
  /// Raised by every change; the ETag.
  var version: Int
  let createdAt: Timestamp
}

/// A time with one set of weights. Epoch 1 begins at the start; every change of weights begins the
/// next.
struct WeightEpoch: Equatable, Sendable {
  let number: Int
  let allocation: Allocation
}

/// The part of an experiment that its author writes.
struct ExperimentDefinition: Equatable, Sendable {
  enum UnitType: String, CaseIterable, Sendable {
    case user, account, session, device
    case customAttribute = "custom_attribute"
  }

  enum AssignmentMode: String, CaseIterable, Sendable {
    /// Splitstream buckets.
    case managed
    /// Somebody else buckets; the exposures that arrive are the truth.
    case external
  }

  var environmentID: ULID
  var key: String
  var name: String
  var hypothesis: String
  var unitType: UnitType
  var unitAttribute: String?
  var assignmentMode = AssignmentMode.managed
  var variants: [Variant]
  /// Nil admits everybody.
  var audience: Audience?
  var decisionRule = DecisionRule()
  var primaryMetricID: ULID?
  var guardrailMetricIDs: [ULID] = []
  var mutexGroupID: ULID?
  var plan = ExperimentPlan()

  /// The rules that need more than one field, and the ranges of the decision rule.
  func problems() -> [FieldProblem] {
    var problems = variants.problems(at: "/variants") + decisionRule.problems(at: "/decision_rule")
    problems += plan.problems()
    var seen: Set<ULID> = []
    if let primaryMetricID { seen.insert(primaryMetricID) }
    for (index, metric) in guardrailMetricIDs.enumerated() where !seen.insert(metric).inserted {
      problems.append(
        FieldProblem(
          pointer: "/guardrail_metric_ids/\(index)",
          detail: metric == primaryMetricID ? "is the primary metric already" : "stands twice"))
    }
    if unitAttribute != nil && unitType != .customAttribute {
      problems.append(
        FieldProblem(
          pointer: "/unit_attribute", detail: "goes with unit_type \"custom_attribute\" only"))
    }
    return problems
  }

  /// The fields that `changed` may not change while the experiment runs, as pointers.
  func frozenFields(changedBy changed: ExperimentDefinition) -> [String] {
    var fields: [String] = []
    func check(_ isSame: Bool, _ field: String) { if !isSame { fields.append(field) } }
    check(environmentID == changed.environmentID, "/environment_id")
    check(key == changed.key, "/key")
    check(unitType == changed.unitType && unitAttribute == changed.unitAttribute, "/unit_type")
    check(assignmentMode == changed.assignmentMode, "/assignment_mode")
    check(audience == changed.audience, "/audience")
    check(primaryMetricID == changed.primaryMetricID, "/primary_metric_id")
    check(mutexGroupID == changed.mutexGroupID, "/mutex_group_id")
    check(plan.startAt == changed.plan.startAt, "/start_at")
    check(
      variants.map(\.keyAndPayload).sorted() == changed.variants.map(\.keyAndPayload).sorted()
        && variants.first(where: \.isControl)?.key
          == changed.variants.first(where: \.isControl)?.key,
      "/variants")
    return fields
  }
}
