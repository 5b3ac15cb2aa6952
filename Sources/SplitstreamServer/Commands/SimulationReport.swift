/// The results of a simulation as a table and as JSON.
struct SimulationReport {
  let cells: [(design: SimulationDesign, result: SimulationResult)]
  let seed: UInt64

  var text: String {
    var table = TextTable(header: [
      "method", "threshold", "min sample", "cadence", "units/day", "baseline", "lift", "decided",
      "95 % interval", "treatment", "control", "mean day",
    ])
    for (design, result) in cells {
      let rule = design.rule
      table.append([
        rule.method.rawValue, "\(rule.posteriorThreshold)",
        NumberText.grouped(rule.minSamplePerVariant),
        "\(rule.snapshotCadenceMinutes) min", NumberText.grouped(design.unitsPerDay),
        NumberText.percent(design.baseline), NumberText.percent(design.relativeLift),
        NumberText.percent(result.firedShare),
        [result.interval.lower, result.interval.upper].map {
          NumberText.fixed($0 * 100, decimals: 2)
        }
        .joined(separator: " to "),
        NumberText.percent(Double(result.treatmentWins) / Double(result.runs)),
        NumberText.percent(Double(result.controlWins) / Double(result.runs)),
        result.fired == 0
          ? "-" : NumberText.fixed(result.daysUntilDecided / Double(result.fired), decimals: 1),
      ])
    }
    let runs = cells.first.map { NumberText.grouped($0.result.runs) } ?? "0"
    return (table.lines + ["", "\(runs) runs each, seed \(seed)"]).joined(separator: "\n") + "\n"
  }

  var json: String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("seed", String(seed))
      writer.member("cells", array: cells) { writer, cell in
        writer.object { writer in
          writer.member("decision_rule", cell.design.rule)
          writer.member("baseline", cell.design.baseline)
          writer.member("relative_lift", cell.design.relativeLift)
          writer.member("units_per_day", cell.design.unitsPerDay)
          writer.member("arms", cell.design.arms)
          writer.member("arrivals", cell.design.arrivals.rawValue)
          writer.member("runs", cell.result.runs)
          writer.member("decided", cell.result.fired)
          writer.member("treatment_wins", cell.result.treatmentWins)
          writer.member("control_wins", cell.result.controlWins)
          writer.member("decided_share", cell.result.firedShare)
          writer.member(
            "decided_share_interval_95", [cell.result.interval.lower, cell.result.interval.upper])
        }
      }
    }
    return String(decoding: writer.bytes, as: UTF8.self) + "\n"
  }
}
