import Testing

@testable import SplitstreamServer

/// The rules of a definition that need more than one field, and what a running experiment may
/// change.
@Suite struct ExperimentRulesTests {
  private static let environment = ULID.new()

  private static func variants(_ weights: [Int], control: Int? = 0) -> [Variant] {
    weights.enumerated().map { index, weight in
      Variant(id: .new(), key: "v\(index)", weight: weight, isControl: index == control)
    }
  }

  private static func definition(
    _ change: (inout ExperimentDefinition) -> Void = { _ in }
  ) -> ExperimentDefinition {
    var definition = ExperimentDefinition(
      environmentID: environment, key: "k", name: "n", hypothesis: "h", unitType: .user,
      variants: variants([50, 50]))
    change(&definition)
    return definition
  }

  @Test("a plain definition has no problems, with the contract's defaults")
  func plain() {
    #expect(Self.definition().problems() == [])
    let rule = DecisionRule()
    #expect(rule.method.rawValue == "bayesian.posterior_threshold")
    #expect(rule.posteriorThreshold == 0.995 && rule.minimumDetectableEffect == 0.02)
    #expect(rule.minSamplePerVariant == 20_000 && rule.maxDurationDays == 28)
    #expect(rule.snapshotCadenceMinutes == 240)
  }

  @Test("variants: at least two, at most twenty, sums, keys, controls; every problem is named")
  func variants() {
    func pointers(_ variants: [Variant]) -> [String] { variants.problems(at: "/v").map(\.pointer) }
    #expect(pointers(Self.variants([100, 0])) == [])
    #expect(pointers(Self.variants([100])) == ["/v"])
    #expect(pointers([]) == ["/v", "/v"])
    #expect(pointers(Self.variants([50, 49])) == ["/v"])
    #expect(pointers(Self.variants([Int](repeating: 5, count: 20))) == [])
    #expect(pointers(Self.variants([Int](repeating: 5, count: 20) + [0])) == ["/v"])
    var twins = Self.variants([40, 30, 30])
    twins[2].key = "v0"
    twins[1].isControl = true
    twins[2].isControl = true
    #expect(pointers(twins) == ["/v/2/key", "/v/1/is_control", "/v/2/is_control"])
  }

  @Test("the first variant is the control when none is marked")
  func control() {
    let unmarked = Self.variants([50, 50], control: nil).withControl()
    #expect(unmarked.map(\.isControl) == [true, false])
    let marked = Self.variants([50, 50], control: 1).withControl()
    #expect(marked.map(\.isControl) == [false, true])
    #expect([Variant]().withControl() == [])
  }

  @Test(
    "the ranges of a decision rule, ends included",
    arguments: [
      ("posterior_threshold", \.posteriorThreshold, [0.5, 0.9999], [0.4999, 0.99991, .nan]),
      (
        "minimum_detectable_effect", \.minimumDetectableEffect, [1e-9, 100],
        [0, -0.1, 100.1, .infinity, .nan]
      ),
    ] as [(String, WritableKeyPath<DecisionRule, Double> & Sendable, [Double], [Double])])
  func fractions(
    field: String, path: WritableKeyPath<DecisionRule, Double> & Sendable, good: [Double],
    bad: [Double]
  ) {
    check(field, path, good, bad)
  }

  @Test(
    "the ranges of a decision rule's whole numbers, ends included",
    arguments: [
      ("min_sample_per_variant", \.minSamplePerVariant, [1, 1_000_000_000_000], [0, -1, .max]),
      ("max_duration_days", \.maxDurationDays, [1, 3650], [0, 3651]),
      ("snapshot_cadence_minutes", \.snapshotCadenceMinutes, [1, 525_600], [0, 525_601]),
    ] as [(String, WritableKeyPath<DecisionRule, Int> & Sendable, [Int], [Int])])
  func numbers(
    field: String, path: WritableKeyPath<DecisionRule, Int> & Sendable, good: [Int], bad: [Int]
  ) {
    check(field, path, good, bad)
  }

  private func check<Value>(
    _ field: String, _ path: WritableKeyPath<DecisionRule, Value>, _ good: [Value], _ bad: [Value]
  ) {
    for (values, expected) in [(good, []), (bad, ["/rule/\(field)"])] {
      for value in values {
        var rule = DecisionRule()
        rule[keyPath: path] = value
        #expect(rule.problems(at: "/rule").map(\.pointer) == expected, "\(value)")
      }
    }
  }

  @Test("a metric stands once among primary and guardrails")
  func metrics() {
    let (a, b) = (ULID.new(), ULID.new())
    let definition = Self.definition {
      $0.primaryMetricID = a
      $0.guardrailMetricIDs = [b, a, b]
    }
    #expect(
      definition.problems().map(\.pointer)
        == ["/guardrail_metric_ids/1", "/guardrail_metric_ids/2"])
  }

  @Test("unit_attribute goes with custom_attribute only")
  func unitAttribute() {
    #expect(
      Self.definition { $0.unitAttribute = "team" }.problems().map(\.pointer)
        == ["/unit_attribute"])
    let custom = Self.definition {
      $0.unitType = .customAttribute
      $0.unitAttribute = "team"
    }
    #expect(custom.problems() == [])
  }

  @Test("what a running experiment may not change, field by field")
  func frozen() {
    let current = Self.definition()
    func fields(_ change: (inout ExperimentDefinition) -> Void) -> [String] {
      var changed = current
      change(&changed)
      return current.frozenFields(changedBy: changed)
    }
    #expect(fields { $0.environmentID = .new() } == ["/environment_id"])
    #expect(fields { $0.key = "other" } == ["/key"])
    #expect(fields { $0.unitType = .device } == ["/unit_type"])
    #expect(fields { $0.unitAttribute = "a" } == ["/unit_type"])
    #expect(fields { $0.assignmentMode = .external } == ["/assignment_mode"])
    #expect(fields { $0.primaryMetricID = .new() } == ["/primary_metric_id"])
    #expect(fields { $0.variants[0].key = "other" } == ["/variants"])
    #expect(fields { $0.variants.removeLast() } == ["/variants"])
    #expect(
      fields {
        $0.variants[0].isControl = false
        $0.variants[1].isControl = true
      } == ["/variants"])
    let allowed = fields {
      $0.name = "other"
      $0.hypothesis = "other"
      $0.decisionRule.maxDurationDays = 7
      $0.guardrailMetricIDs = [.new()]
      $0.variants[0].weight = 10
      $0.variants[1].weight = 90
      $0.variants[1].description = "other"
      $0.variants.reverse()
    }
    #expect(allowed == [])
  }
}
