/// Why the stores did not do what was asked. The text goes to the log, never to the caller.
enum StorageError: Error, Equatable {
  /// Which store a fault is of.
  enum Store: String, Sendable {
    case postgres = "PostgreSQL"
    case redis = "Redis"
  }

  /// Refused before anything was sent: nothing has happened.
  case unavailable(Store, String)
  /// Sent and not answered: it may have happened. A retry with the same ids is safe.
  case outcomeUnknown(Store, String)
  /// Another row has the same unique value; named by the constraint.
  case conflict(constraint: String)
  /// Rows that refer to it keep it from going, or what a row refers to has gone.
  case inUse
  /// Redis holds as many events as it may until PostgreSQL has taken some.
  case backlogFull
  /// The store refused a statement or answered what nobody expected: a fault of ours.
  case failed(Store, String)

  /// The same call may succeed a little later.
  var isPassing: Bool {
    switch self {
    case .unavailable, .outcomeUnknown, .backlogFull: true
    case .conflict, .inUse, .failed: false
    }
  }
}
