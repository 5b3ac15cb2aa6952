@testable import SplitstreamServer

/// What the analysis keeps of an experiment's units between snapshots.
struct AnalysisState {
  let stores: StorageTesting
  let experiment: ULID

  /// Every row as text, but for the numbers of series and runs, which differ from one making to
  /// another.
  func rows() throws -> [String] {
    let of = "JOIN analysis_series a ON a.id = s.series_id WHERE a.experiment_id = $1"
    return try [
      "SELECT concat_ws('|', unit_id, variant_id, epoch, exposed_at, has_several) FROM sample_units s \(of)",
      """
      SELECT concat_ws('|', subject_id, unit_id, converted, trim_scale(amount), events, late, invalid, occurred)
      FROM unit_values s \(of)
      """,
      """
      SELECT concat_ws('|', subject_id, variant_id, epoch, units, several, converted, late, invalid,
        trim_scale(amount), trim_scale(amount_squares), events, event_squares, trim_scale(products))
      FROM unit_sums s \(of)
        AND (units, events, late, invalid) IS DISTINCT FROM (0::bigint, 0::numeric, 0::bigint, 0::bigint)
      """,
    ].flatMap { try stores.texts($0, .id(experiment)).sorted() }
  }

  /// The next snapshot begins from nothing.
  func forget() throws {
    let session = try stores.session()
    defer { session.close() }
    for table in ["sample_units", "unit_values", "unit_sums"] {
      let empty = Statement(
        name: "empty_\(table)",
        sql: """
          DELETE FROM \(table) WHERE series_id IN (
            SELECT id FROM analysis_series WHERE experiment_id = $1)
          """)
      try session.execute(empty, [.id(experiment)])
    }
    let forget = Statement(
      name: "forget", sql: "DELETE FROM analysis_series WHERE experiment_id = $1")
    try session.execute(forget, [.id(experiment)])
  }
}
