import Synchronization

/// Which API keys this process has seen since somebody last asked: `last_used_at` without a write
/// per request.
final class KeyUsage: Sendable {
  private let used = Mutex<Set<ULID>>([])
  /// Raised whenever the keys are taken, so that the loops begin anew.
  private let round = Atomic<Int>(0)

  /// The keys seen since the last call.
  func take() -> Set<ULID> {
    used.withLock { used in
      defer {
        used = []
        round.add(1, ordering: .relaxed)
      }
      return used
    }
  }

  /// Keys that could not be written down are not forgotten.
  func putBack(_ keys: Set<ULID>) { used.withLock { $0.formUnion(keys) } }

  fileprivate func add(_ key: ULID) { used.withLock { _ = $0.insert(key) } }
  fileprivate var currentRound: Int { round.load(ordering: .relaxed) }
}

/// One loop's part of it: a key that is busy costs a comparison a request. Loop-owned.
final class KeyUsageNotes {
  private let usage: KeyUsage
  private var noted: Set<ULID> = []
  private var latest: ULID?
  private var round = -1

  init(_ usage: KeyUsage) {
    self.usage = usage
  }

  func note(_ key: ULID) {
    let current = usage.currentRound
    if current != round {
      round = current
      noted.removeAll(keepingCapacity: true)
      latest = nil
    }
    if latest == key { return }
    latest = key
    if noted.insert(key).inserted { usage.add(key) }
  }
}

/// Writes down when keys were last used. One thread's at a time.
struct KeyUsageStore {
  let session: PostgresSession

  /// Coarse: a key that was written down within the last minute is left alone.
  func record(_ keys: Set<ULID>) throws(PostgresError) {
    if keys.isEmpty { return }
    // In one order, so that two processes wait for each other instead of dying.
    try session.execute(Self.update, [.ids(keys.sorted())])
  }

  static let update = Statement(
    name: "key_usage",
    sql: """
      WITH used AS (
        SELECT id FROM api_keys
        WHERE id = ANY ($1::uuid[])
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        ORDER BY id FOR UPDATE)
      UPDATE api_keys k SET last_used_at = now() FROM used WHERE k.id = used.id
      """)
}
