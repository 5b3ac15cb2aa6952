/// A snapshot as text: a table for each metric, the sample ratio, the decision. Probabilities and shares are those that
/// the server computed; nothing is computed here.
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
    var table = TextTable(
      header: [
        "variant", "units", "converted", "rate", "95 % interval", "vs control, points",
        "prob best", "expected loss",
      ])
    for variant in metric["per_variant"]?.elements.map({ $0 }) ?? [] {
      let key = variant["variant_key"]?.string ?? "-"
      let isControl = variant["is_control"]?.bool ?? false
      table.append([
        isControl ? "\(key) (control)" : key,
        variant["sample_size"]?.integer.map(NumberText.grouped) ?? "-",
        variant["conversions"]?.integer.map(NumberText.grouped) ?? "-",
        cell(variant["observed_rate"]) { NumberText.percent($0) },
        interval(variant["posterior"]?["credible_interval_95"]).map { "\($0) %" } ?? "-",
        isControl ? "-" : lift(variant["lift"]),
        cell(variant["prob_best"], NumberText.probability),
        cell(variant["expected_loss_if_stop_now"]) { NumberText.percent($0, decimals: 4) },
      ])
    }
    return table
  }

  /// `-0.82 (-1.34 to -0.31)`: the difference of the rates in percentage points, with its 95 % interval.
  private static func lift(_ lift: JSONValue?) -> String {
    guard let difference = lift?["difference"]?.double else { return "-" }
    let range = interval(lift?["difference_interval_95"]).map { " (\($0))" } ?? ""
    return NumberText.fixed(difference * 100, decimals: 2) + range
  }

  private static func interval(_ ends: JSONValue?) -> String? {
    let ends = ends?.elements.compactMap(\.double) ?? []
    guard ends.count == 2 else { return nil }
    return ends.map { NumberText.fixed($0 * 100, decimals: 2) }.joined(separator: " to ")
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
