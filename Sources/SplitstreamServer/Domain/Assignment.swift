/// Which variant a unit sees, for ever.
struct Assignment: Equatable, Sendable {
  enum Reason: String, Sendable {
    case bucketed, forced
  }

  let id: ULID
  let variantID: ULID
  let reason: Reason
  /// When its exposure was stored; nil while only `/v1/exposures` may log it.
  let exposureLoggedAt: Timestamp?
}

/// Why a unit sees no variant; nothing is stored, so a later call may differ.
enum Exclusion: String, Sendable {
  /// What the caller says of the unit is not in the experiment's audience.
  case audience
  /// The experiment's units are bucketed elsewhere and this one has not been reported yet.
  case notReported = "not_reported"
  /// The experiment takes no new units for now.
  case paused
}

/// What became of a unit that asked for its variant.
enum AssignmentOutcome: Equatable, Sendable {
  case assigned(Assignment)
  /// Another experiment of the mutex group has the unit. Nothing is stored.
  case heldOut
  /// Nothing is stored.
  case excluded(Exclusion)
}
