/// The tenant: one customer. Every row belongs to one.
struct Workspace: Equatable, Sendable {
  let id: ULID
  let slug: String
  let name: String
  let createdAt: Timestamp
}

/// A place where experiments run (`dev`, `production`); units, events and mutex claims never cross
/// it.
struct Environment: Equatable, Sendable {
  let id: ULID
  let workspaceID: ULID
  let slug: String
  let name: String
  /// The hash tag of its Redis keys; fixed for life.
  let shard: Int
  let createdAt: Timestamp

  /// Environments share this many groups of Redis keys; a new one takes the group of its id's
  /// lowest digits.
  static let shardCount: UInt64 = 16
}

/// Who calls: a key without its secret.
struct APIKey: Equatable, Sendable {
  enum Kind: String, CaseIterable, Sendable {
    /// Does everything within its environment, or its workspace when bound to none.
    case server
    /// Public by nature: assigns units, reads their assignments, sends events and exposures.
    case client
  }

  let id: ULID
  let workspaceID: ULID
  /// Nil: not bound to one environment.
  let environmentID: ULID?
  let kind: Kind
  let name: String
  let prefix: String
  let lastFour: String
  let createdAt: Timestamp
  let lastUsedAt: Timestamp?

  /// `ss_{srv|clt}_{env}`: all of a key before its secret.
  static func prefix(_ kind: Kind, environmentSlug: String?) -> String {
    "ss_\(kind == .server ? "srv" : "clt")_\(environmentSlug ?? "all")"
  }

  /// May a caller with this key see what belongs to `environment`?
  func sees(environment: ULID) -> Bool { environmentID == nil || environmentID == environment }
}
