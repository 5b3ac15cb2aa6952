/// What an experiment's author notes beside its design: what it is about, whose it is, when it
/// begins and ends by itself.
struct ExperimentPlan: Equatable, Sendable {
  var description = ""
  var owner: String?
  var tags: [String] = []
  /// A draft is started at this time.
  var startAt: Timestamp?
  /// A running experiment is stopped at this time.
  var stopAt: Timestamp?

  static let tagCountMax = 20
  static let tagBytesMax = 64

  func problems() -> [FieldProblem] {
    var problems: [FieldProblem] = []
    if tags.count > Self.tagCountMax {
      problems.append(
        FieldProblem(pointer: "/tags", detail: "must hold at most \(Self.tagCountMax) tags"))
    }
    var seen: Set<[UInt8]> = []
    for (index, tag) in tags.enumerated() {
      if !(1...Self.tagBytesMax).contains(tag.utf8.count) {
        problems.append(
          FieldProblem(
            pointer: "/tags/\(index)", detail: "must be 1 to \(Self.tagBytesMax) bytes of UTF-8"))
      } else if !seen.insert([UInt8](tag.utf8)).inserted {
        problems.append(FieldProblem(pointer: "/tags/\(index)", detail: "stands twice"))
      }
    }
    if let startAt, let stopAt, stopAt <= startAt {
      problems.append(FieldProblem(pointer: "/stop_at", detail: "must be after start_at"))
    }
    return problems
  }
}
