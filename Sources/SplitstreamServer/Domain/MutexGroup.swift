/// Experiments of which a unit takes part in one at most: the first that assigns it, as long as
/// that one runs.
struct MutexGroup: Equatable, Sendable {
  let id: ULID
  let key: String
  let name: String
  /// Those that are not archived, of the ones that the caller sees.
  let experimentCount: Int

  /// In a batch, claims are tried in ascending order of this hash, so that no experiment is
  /// favoured by its place in the list: SHA-256("ss1:" + group + ":mutex:" + experiment + ":" +
  /// unit_id).
  static func claimOrder(group: ULID, experiment: ULID, unit: UnitID) -> Hash256 {
    SHA256.hash([UInt8]("ss1:\(group.text):mutex:\(experiment.text):".utf8) + unit.bytes)
  }
}
