/// A snapshot as text: a table for each metric, the sample ratio, the decision. Probabilities and
/// shares are those that the server computed; nothing is computed here.
struct SnapshotReport {
  let text: String

  /// - Parameter snapshot: as the API answers it; what it lacks is shown as `-`.
  init(_ snapshot: JSONValue, experimentKey: String) {
    let computedAt = snapshot["computed_at"]?.string ?? "an unknown time"
    var lines = ["\(experimentKey), snapshot of \(computedAt)"]
    let metrics = snapshot["metrics"].map { Array($0.elements) } ?? []
    for metric in metrics {
      let role = metric["role"]?.string.map { " (\($0))" } ?? ""
      lines += ["", "\(metric["metric_key"]?.string ?? "-")\(role)"]
      lines += Self.table(metric).lines
    }
    // Without a metric there are units all the same.
    if metrics.isEmpty { lines += [""] + Self.table(snapshot).lines }
    lines += ["", Self.sampleRatio(snapshot)]
    lines += Self.decision(snapshot)
    text = lines.joined(separator: "\n") + "\n"
  }

  private static func table(_ metric: JSONValue) -> TextTable {
    let scale = Scale(metric["kind"]?.string)
    var table = TextTable(
      header: [
        "variant", "units", "converted", scale.name, "95 % interval", scale.difference,
        "prob best", "expected loss",
      ])
    for variant in metric["per_variant"]?.elements.map({ $0 }) ?? [] {
      let key = variant["variant_key"]?.string ?? "-"
      let isControl = variant["is_control"]?.bool ?? false
      table.append([
        isControl ? "\(key) (control)" : key,
        variant["sample_size"]?.integer.map(NumberText.grouped) ?? "-",
        variant["conversions"]?.integer.map(NumberText.grouped) ?? "-",
        cell(variant["observed_rate"]) { scale.text($0) + scale.unit },
        interval(variant["posterior"]?["credible_interval_95"], scale).map { $0 + scale.unit }
          ?? "-",
        isControl ? "-" : lift(variant["lift"], scale),
        cell(variant["prob_best"], NumberText.probability),
        cell(variant["expected_loss_if_stop_now"]) { scale.text($0, finer: 2) + scale.unit },
      ])
    }
    return table
  }

  /// `-0.82 (-1.34 to -0.31)`: the difference of the rates in percentage points, with its 95 %
  /// interval.
  private static func lift(_ lift: JSONValue?, _ scale: Scale) -> String {
    guard let difference = lift?["difference"]?.double else { return "-" }
    let range = interval(lift?["difference_interval_95"], scale).map { " (\($0))" } ?? ""
    return scale.text(difference) + range
  }

  private static func interval(_ ends: JSONValue?, _ scale: Scale) -> String? {
    let ends = ends?.elements.compactMap(\.double) ?? []
    guard ends.count == 2 else { return nil }
    return ends.map { scale.text($0) }.joined(separator: " to ")
  }

  /// Rates are shown in percent, amounts as they are.
  private struct Scale {
    private let isRate: Bool

    /// - Parameter kind: a metric's; binary where there is none.
    init(_ kind: String?) { isRate = kind == nil || kind == "binary" }

    var name: String { isRate ? "rate" : "per unit" }
    var difference: String { isRate ? "vs control, points" : "vs control" }
    var unit: String { isRate ? " %" : "" }

    func text(_ number: Double, finer: Int = 0) -> String {
      NumberText.fixed(isRate ? number * 100 : number, decimals: (isRate ? 2 : 4) + finer)
    }
  }

  private static func cell(_ value: JSONValue?, _ text: (Double) -> String) -> String {
    value?.double.map(text) ?? "-"
  }

  private static func sampleRatio(_ snapshot: JSONValue) -> String {
    let p = snapshot["srm_chi_squared_p"]?.double
    let value = p.map { $0 < 0.0001 ? "p < 0.0001" : "p = \(NumberText.fixed($0, decimals: 4))" }
    var parts = [value ?? "not tested"]
    if snapshot["srm_warning"]?.bool == true {
      parts.append("WARNING: the units are not split as configured, do not trust the result")
    } else if value != nil {
      parts.append("no mismatch")
    }
    return "Sample ratio: \(parts.joined(separator: ", "))"
  }

  private static func decision(_ snapshot: JSONValue) -> [String] {
    let decision = snapshot["decision"]
    let isSatisfied = snapshot["decision_rule_satisfied"]?.bool ?? false
    var parts = ["decision rule \(isSatisfied ? "satisfied" : "not satisfied")"]
    if let outcome = decision?["outcome"]?.string { parts.append(outcome) }
    if let winner = decision?["winner"]?.string { parts.append("winner \(winner)") }
    let recommendation = decision?["recommendation"]?.string.map { "\($0): " } ?? ""
    let reasons = decision?["reasons"]?.elements.map { reason in
      let texts = [reason["code"]?.string, reason["detail"]?.string].compactMap { $0 }
      return "  - \(texts.joined(separator: ": "))"
    }
    return ["Decision: \(recommendation)\(parts.joined(separator: ", "))"] + (reasons ?? [])
  }
}
