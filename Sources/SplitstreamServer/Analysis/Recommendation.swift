/// What the reader of a snapshot should do now.
enum Recommendation: String, Sendable {
  case launch = "LAUNCH"
  case stop = "STOP"
  case investigate = "INVESTIGATE"
  case `continue` = "CONTINUE"

  /// The recommendation of a running experiment: the first that applies.
  ///
  /// - Parameter probMeaningful: the largest P(θ_i ≥ (1 + MDE)·θ_c) of the live treatments.
  init(
    isSatisfied: Bool, winnerIsControl: Bool, srmWarning: Bool, leaderViolatesGuardrail: Bool,
    horizonReached: Bool, isEnough: Bool, probMeaningful: Double
  ) {
    if srmWarning || leaderViolatesGuardrail {
      self = .investigate
    } else if isSatisfied {
      self = winnerIsControl ? .stop : .launch
    } else if isEnough && Self.isFutile(probMeaningful) {
      self = .stop
    } else {
      self = horizonReached ? .investigate : .continue
    }
  }
  /// An effect as large as hoped for has become improbable.
  static func isFutile(_ probMeaningful: Double) -> Bool { probMeaningful < 0.05 }
}
