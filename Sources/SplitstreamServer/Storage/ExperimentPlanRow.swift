// How an experiment's plan stands among the columns of `experiments`.

extension ExperimentPlan {
  static let columns = ["description", "owner", "tags", "start_at", "stop_at"]
  private static let types = ["text", "text", "text[]", "timestamptz", "timestamptz"]

  /// The columns of `table`, for a selection.
  static func columns(of table: String) -> String {
    columns.map { "\(table).\($0)" }.joined(separator: ", ")
  }

  /// The placeholders of `values`, from `$first` on.
  static func placeholders(first: Int) -> String {
    types.enumerated().map { "$\(first + $0.offset)::\($0.element)" }.joined(separator: ", ")
  }

  /// The same as the SET clause of an UPDATE.
  static func assignments(first: Int) -> String {
    "(\(columns.joined(separator: ", "))) = (\(placeholders(first: first)))"
  }

  var values: [PostgresValue] {
    [
      .text(description), .text(orNull: owner), .texts(tags),
      startAt.map(PostgresValue.instant) ?? .null, stopAt.map(PostgresValue.instant) ?? .null,
    ]
  }

  /// - Parameter first: the place of the first of the columns in the row.
  init(_ row: Row, first: Int) throws(PostgresError) {
    self.init(
      description: try row.text(first), owner: try row.textOrNil(first + 1),
      tags: try row.texts(first + 2), startAt: try row.instantOrNil(first + 3),
      stopAt: try row.instantOrNil(first + 4))
  }
}
