import Testing

@testable import SplitstreamServer

/// The text that an import ends with.
@Suite struct SnapshotReportTests {
  private static let snapshot = #"""
    {"id":"01J","computed_at":"2026-01-02T03:04:05Z","srm_chi_squared_p":0.00862,"srm_warning":false,
     "decision_rule_satisfied":true,
     "decision":{"winner":"gate_30","outcome":"lost","recommendation":"STOP","reasons":[]},
     "metrics":[{"metric_key":"cats.day_7","role":"primary","per_variant":[
      {"variant_key":"gate_30","is_control":true,"sample_size":44700,"conversions":8502,
       "observed_rate":0.190201,"posterior":{"mean":0.1902,"credible_interval_95":[0.18658,0.19386]},
       "prob_best":0.99922,"expected_loss_if_stop_now":0.0000011,"lift":null},
      {"variant_key":"gate_40","is_control":false,"sample_size":45489,"conversions":8279,
       "observed_rate":0.182,"posterior":{"mean":0.182,"credible_interval_95":[0.17848,0.18557]},
       "prob_best":0.00078,"expected_loss_if_stop_now":0.0082023,
       "lift":{"difference":-0.008201,"difference_interval_95":[-0.01328,-0.00312],
        "relative":-0.043,"prob_better":0.00078}}]}]}
    """#

  @Test func aSnapshotAsText() throws {
    let report = SnapshotReport(
      try JSONValue(parsing: Array(Self.snapshot.utf8)), experimentKey: "cats")
    #expect(
      report.text == """
        cats, snapshot of 2026-01-02T03:04:05Z

        cats.day_7 (primary)
        variant             units  converted     rate     95 % interval      vs control, points  prob best  expected loss
        gate_30 (control)  44,700      8,502  19.02 %  18.66 to 19.39 %                       -    99.92 %       0.0001 %
        gate_40            45,489      8,279  18.20 %  17.85 to 18.56 %  -0.82 (-1.33 to -0.31)     0.08 %       0.8202 %

        Sample ratio: p = 0.0086, no mismatch
        Decision: STOP: decision rule satisfied, lost, winner gate_30

        """)
  }

  @Test func whatStandsAgainstADecision() throws {
    let text = #"""
      {"srm_chi_squared_p":1e-9,"srm_warning":true,"decision_rule_satisfied":false,
       "decision":{"winner":null,"outcome":"continue","recommendation":"INVESTIGATE",
        "reasons":[{"code":"srm_warning","detail":"the units are not split 50/50"}]},
       "metrics":[{"metric_key":"m","role":"primary","per_variant":[
        {"variant_key":"a","sample_size":0,"conversions":0,"posterior":{"mean":0.5}}]}]}
      """#
    let report = SnapshotReport(try JSONValue(parsing: Array(text.utf8)), experimentKey: "cats")
    let lines = report.text.split(separator: "\n")
    #expect(lines[2].split(separator: " ", omittingEmptySubsequences: true).first == "variant")
    #expect(
      lines.suffix(3) == [
        "Sample ratio: p < 0.0001, WARNING: the units are not split as configured, do not trust the result",
        "Decision: INVESTIGATE: decision rule not satisfied, continue",
        "  - srm_warning: the units are not split 50/50",
      ])
  }

  @Test func whatASnapshotLacksIsShownAsMissing() throws {
    let text = #"{"per_variant":[{"variant_key":"a","sample_size":3}]}"#
    let report = SnapshotReport(try JSONValue(parsing: Array(text.utf8)), experimentKey: "x")
    let lines = report.text.split(separator: "\n")
    #expect(lines[0] == "x, snapshot of an unknown time")
    #expect(lines[2].split(separator: " ") == ["a", "3", "-", "-", "-", "-", "-", "-"])
  }
}
