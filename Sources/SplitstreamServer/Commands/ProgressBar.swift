/// How far a step of known length is, for standard error.
///
/// On a terminal one line is drawn again and again; elsewhere (a log file) a line appears now and
/// then. Time arrives as a parameter, and the caller writes what `update` and `finish` return.
struct ProgressBar {
  static let secondsBetweenDrawings = 0.1
  static let secondsBetweenLines = 10.0
  static let barWidth = 30

  let label: String
  let total: Int
  let isInteractive: Bool
  private let startedAt: Double
  private var writtenAt: Double

  init(label: String, total: Int, isInteractive: Bool, at now: Double) {
    self.label = label
    self.total = total
    self.isInteractive = isInteractive
    startedAt = now
    writtenAt = now
  }

  /// What to write after `done` of `total`; nil when it is too soon.
  mutating func update(done: Int, at now: Double) -> String? {
    let pause = isInteractive ? Self.secondsBetweenDrawings : Self.secondsBetweenLines
    guard now - writtenAt >= pause else { return nil }
    writtenAt = now
    return isInteractive ? "\r" + line(done: done, at: now) : line(done: done, at: now) + "\n"
  }

  /// The last line of the step.
  func finish(done: Int, at now: Double) -> String {
    (isInteractive ? "\r" : "") + line(done: done, at: now) + "\n"
  }

  private func line(done: Int, at now: Double) -> String {
    let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
    let seconds = max(now - startedAt, 0.001)
    let rate = NumberText.fixed(Double(done) / seconds, decimals: 0)
    let text =
      "\(NumberText.grouped(done)) of \(NumberText.grouped(total))  \(NumberText.percent(share, decimals: 0))"
      + "  \(NumberText.fixed(seconds, decimals: 1)) s  \(rate)/s"
    guard isInteractive else { return "\(label): \(text)" }
    let filled = Int(share * Double(Self.barWidth))
    let bar =
      String(repeating: "#", count: filled)
      + String(repeating: "-", count: Self.barWidth - filled)
    // The spaces cover what a longer line has left behind.
    return "\(label) [\(bar)] \(text)    "
  }
}
