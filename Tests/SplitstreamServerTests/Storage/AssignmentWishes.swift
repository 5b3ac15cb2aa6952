@testable import SplitstreamServer

// One wish at a time, for tests that are not about batches.
extension AssignmentStore {
  /// One that relies on its cache all the time.
  convenience init(
    database: Database, cache: AssignmentCache, ids: IDSource, on loop: EventLoop
  ) {
    let heartbeat = Heartbeat()
    heartbeat.note(.max)
    self.init(
      database: database, cache: cache, heartbeat: heartbeat, staleSecondsMax: 600, ids: ids,
      loop: loop)
  }

  /// One wish, awaited.
  func assign(_ wish: AssignmentWish) async throws(StorageError) -> AssignmentOutcome {
    let result = await withUnsafeContinuation { continuation in
      assign([wish]) { continuation.resume(returning: $0) }
    }
    return try result.map { $0[$0.startIndex] }.get()
  }

  /// The assignment of a unit that nothing excludes.
  func assign(
    _ unit: UnitID, to experiment: RunningExperiment, logsExposure: Bool
  ) async throws(StorageError) -> Assignment {
    let outcome = try await assign(
      AssignmentWish(unit: unit, experiment: experiment, logsExposure: logsExposure))
    guard case .assigned(let assignment) = outcome else {
      throw .failed(.postgres, "the unit was not assigned: \(outcome)")
    }
    return assignment
  }

  /// The assignment that is there; nil when there is none.
  func stored(
    _ unit: UnitID, in experiment: RunningExperiment
  ) async throws(StorageError) -> Assignment? {
    let outcome = try await assign(
      AssignmentWish(
        unit: unit, experiment: experiment, logsExposure: false, exclusion: .notReported))
    guard case .assigned(let assignment) = outcome else { return nil }
    return assignment
  }
}
