/// What became of the exposures or the events that were sent.
struct ImportTally: Equatable, Sendable {
  private(set) var accepted = 0
  /// Accepted before, and so not counted again.
  private(set) var replayed = 0
  /// Per reason: how many, and the first line of the file.
  private(set) var rejections: [String: Rejection] = [:]

  struct Rejection: Equatable, Sendable {
    var count = 0
    var firstLine = Int.max
  }

  var rejected: Int { rejections.values.reduce(0) { $0 + $1.count } }
  var done: Int { accepted + rejected }

  /// Adds an `EventBatchAck`, which accounts for every entry of the batch.
  mutating func add(_ ack: JSONValue, for batch: ImportBatch) throws(ClientError) {
    guard let accepted = ack["accepted_count"]?.integer else {
      throw .malformed(reason: "\"accepted_count\" is missing")
    }
    let rejected = ack["rejected"]?.elements.map { $0 } ?? []
    guard accepted >= 0, accepted + rejected.count == batch.lines.count else {
      throw .malformed(
        reason: "\(batch.lines.count) rows sent, \(accepted) accepted, \(rejected.count) rejected")
    }
    self.accepted += accepted
    replayed += ack["replayed_count"]?.integer ?? 0
    for entry in rejected {
      guard let index = entry["index"]?.integer, batch.lines.indices.contains(index) else {
        throw .malformed(reason: "a rejection without a valid index")
      }
      let reason = Self.reason(entry["reason"]?.string ?? "without a reason", index: index)
      rejections[reason, default: Rejection()].count += 1
      let first = min(rejections[reason]?.firstLine ?? .max, batch.lines[index])
      rejections[reason]?.firstLine = first
    }
  }

  static let reasonsShownMax = 10

  /// One line for each reason, the most frequent first.
  var rejectionLines: [String] {
    let sorted = rejections.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    let lines = sorted.prefix(Self.reasonsShownMax).map { reason, entry in
      "rejected \(counted(entry.count, "row")), the first on line \(entry.firstLine): \(reason)"
    }
    let others = sorted.count - lines.count
    return others == 0 ? lines : lines + ["rejected others for \(counted(others, "more reason"))"]
  }

  /// The same fault is one reason, whatever its place in the batch: `/events/7/unit_id …` is
  /// `/unit_id …`.
  private static func reason(_ reason: String, index: Int) -> String {
    reason.replacing("/exposures/\(index)/", with: "/").replacing("/events/\(index)/", with: "/")
  }
}
