import Glibc

/// What a server process knows by heart: environments, keys that are in force, running experiments.
///
/// An immutable value. A change makes a new one that shares all but the part that changed; each
/// loop holds a reference of its own, so that reading takes no lock.
struct Catalogue: Sendable {
  private(set) var environments: [ULID: Environment] = [:]
  private var environmentsBySlug: [SlugInWorkspace: ULID] = [:]
  private var keys: [KeyHash: KeyInForce] = [:]
  private var keyHashes: [ULID: [KeyHash]] = [:]
  private var segments: [ULID: [String: AudienceExpression]] = [:]
  private var running: [ULID: SharedDictionary<ExperimentKey, RunningExperiment>] = [:]
  private var runningByID = SharedDictionary<ULID, RunningExperiment>()

  // MARK: Reading

  /// The key in force with this hash; nil when it is unknown, revoked or was replaced and has ended
  /// by `now`.
  func key(_ hash: KeyHash, at now: @autoclosure () -> Timestamp) -> APIKey? {
    keyInForce(hash, at: now())?.key
  }

  /// The same, with the end of its validity.
  func keyInForce(_ hash: KeyHash, at now: @autoclosure () -> Timestamp) -> KeyInForce? {
    guard let found = keys[hash], found.isInForce(at: now()) else { return nil }
    return found
  }

  func environment(_ id: ULID) -> Environment? { environments[id] }

  func environment(slug: String, in workspace: ULID) -> Environment? {
    environmentsBySlug[SlugInWorkspace(workspace: workspace, slug: slug)].flatMap {
      environments[$0]
    }
  }

  /// The shards that events may wait in.
  var shards: Set<Int> { Set(environments.values.map(\.shard)) }

  func environments(of workspace: ULID) -> [Environment] {
    environments.values.filter { $0.workspaceID == workspace }
  }

  func running(_ key: ExperimentKey, in environment: ULID) -> RunningExperiment? {
    running[environment]?[key]
  }

  /// An experiment that runs as it does now: in this version, with these segments.
  func running(_ id: ULID, version: Int, likeIn other: Catalogue) -> RunningExperiment? {
    guard let found = runningByID[id], found.version == version, segments == other.segments else {
      return nil
    }
    return found
  }

  /// Every experiment that runs in an environment, in no order.
  func running(in environment: ULID) -> [RunningExperiment] {
    running[environment].map { Array($0.values) } ?? []
  }

  // MARK: Changing

  mutating func put(_ environment: Environment) {
    if let old = environments[environment.id] {
      environmentsBySlug[SlugInWorkspace(workspace: old.workspaceID, slug: old.slug)] = nil
    }
    environments[environment.id] = environment
    environmentsBySlug[
      SlugInWorkspace(workspace: environment.workspaceID, slug: environment.slug)] = environment.id
  }

  mutating func removeEnvironment(_ id: ULID) {
    guard let old = environments.removeValue(forKey: id) else { return }
    environmentsBySlug[SlugInWorkspace(workspace: old.workspaceID, slug: old.slug)] = nil
  }

  /// - Parameter validUntil: nil for the key's own secret, the end of the overlap for the one
  ///   before it.
  mutating func put(_ key: APIKey, hash: KeyHash, validUntil: Timestamp? = nil) {
    keys[hash] = KeyInForce(key: key, validUntil: validUntil)
    keyHashes[key.id, default: []].append(hash)
  }

  mutating func removeKey(_ id: ULID) {
    for hash in keyHashes.removeValue(forKey: id) ?? [] { keys[hash] = nil }
  }

  /// The running experiments whose audiences name it must be put again.
  mutating func put(_ segment: Segment) {
    segments[segment.workspaceID, default: [:]][segment.key] = segment.audience.expression
  }

  /// Takes the experiment in when it runs, and out when it does not.
  mutating func put(_ experiment: Experiment) {
    removeExperiment(experiment.id)
    let segments = segments[experiment.workspaceID] ?? [:]
    if let entry = RunningExperiment(experiment, segments: segments) { put(entry) }
  }

  mutating func put(_ experiment: RunningExperiment) {
    running[experiment.environmentID, default: SharedDictionary()][experiment.key] = experiment
    runningByID[experiment.id] = experiment
  }

  mutating func removeExperiment(_ id: ULID) {
    guard let found = runningByID[id] else { return }
    running[found.environmentID]?[found.key] = nil
    runningByID[id] = nil
  }

  private struct SlugInWorkspace: Hashable {
    let workspace: ULID
    let slug: String
  }
}

/// An API key as long as it is in force; one reference, so that a request does not copy its texts.
final class KeyInForce: Sendable {
  let key: APIKey
  /// Nil for the key's own secret, the end of the overlap for the one before it.
  let validUntil: Timestamp?

  init(key: APIKey, validUntil: Timestamp?) {
    self.key = key
    self.validUntil = validUntil
  }

  func isInForce(at now: @autoclosure () -> Timestamp) -> Bool {
    validUntil.map { now() < $0 } ?? true
  }
}

/// An experiment's key as the hot path compares it: bytes, not a String.
struct ExperimentKey: Hashable, Sendable {
  let bytes: ArraySlice<UInt8>
  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }
  init(_ text: String) { bytes = [UInt8](text.utf8)[...] }
  var text: String { String(decoding: bytes, as: UTF8.self) }

  static func == (left: ExperimentKey, right: ExperimentKey) -> Bool {
    guard left.bytes.count == right.bytes.count else { return false }
    // Unsafe: both have `count` bytes.
    return left.bytes.withUnsafeBytes { left in
      right.bytes.withUnsafeBytes { right in
        guard let start = left.baseAddress, let other = right.baseAddress else { return true }
        return memcmp(start, other, left.count) == 0
      }
    }
  }

  /// Only those who administer the server choose keys that are kept, so that nobody gains by
  /// finding equal hashes.
  func hash(into hasher: inout Hasher) { hasher.combine(spread) }
}

/// What assigning and exposing need of an experiment that runs.
final class RunningExperiment: Sendable {
  let id: ULID
  let environmentID: ULID
  let key: ExperimentKey
  let assignmentMode: ExperimentDefinition.AssignmentMode
  let variants: [Variant]
  let epoch: Int
  let allocation: Allocation
  let mutexGroupID: ULID?
  let version: Int
  /// New units are kept out for now.
  let isPaused: Bool
  /// Nil admits everybody.
  private let audience: AudienceProgram?

  /// Nil unless `experiment` runs.
  ///
  /// - Parameter segments: those of its workspace, by key.
  init?(_ experiment: Experiment, segments: [String: AudienceExpression]) {
    guard experiment.status == .running, let epoch = experiment.weightEpoch else { return nil }
    id = experiment.id
    environmentID = experiment.definition.environmentID
    key = ExperimentKey(experiment.definition.key)
    assignmentMode = experiment.definition.assignmentMode
    variants = experiment.definition.variants
    self.epoch = epoch.number
    allocation = epoch.allocation
    mutexGroupID = experiment.definition.mutexGroupID
    version = experiment.version
    isPaused = experiment.pausedAt != nil
    audience = experiment.definition.audience.map {
      AudienceProgram($0.expression, segments: segments)
    }
  }

  /// The variant that the published function gives to a unit.
  func variant(of unit: UnitID, generation: Int) -> Variant {
    variants[allocation.owner(of: Bucketing.slot(of: unit, in: id, generation: generation))]
  }

  /// Whether what a caller says of a unit is in the audience.
  func admits(_ context: JSONValue?) -> Bool { audience?.admits(context) ?? true }

  func variant(_ id: ULID) -> Variant? { variants.first { $0.id == id } }
  func variant(named key: String) -> Variant? { variants.first { $0.key == key } }
}

/// Where a loop keeps its reference to the catalogue. Loop-owned; replaced by a message to the
/// loop.
final class CatalogueHolder {
  /// Nil until it has been read for the first time: then nothing is known of any key.
  var current: CatalogueSnapshot?
}

/// One catalogue, held in one reference by everybody who reads it.
final class CatalogueSnapshot: Sendable {
  let catalogue: Catalogue

  init(_ catalogue: Catalogue) {
    self.catalogue = catalogue
  }
}

/// One thing in the catalogue that has changed; what PostgreSQL's notices say, too.
enum CatalogueChange: Hashable, Sendable {
  case environment(ULID)
  case key(ULID)
  case experiment(ULID)
  case segment(ULID)
}
