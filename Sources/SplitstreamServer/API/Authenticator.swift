/// Finds the API key of a request. Loop-owned.
///
/// Keys are found by HMAC under the pepper, never compared as text. The HMAC of a header seen
/// before is remembered by a keyed hash of the header, so that a busy key costs one SipHash a
/// request, and the header of the last request by itself; whether the key is still in force is asked
/// of every new catalogue.
final class Authenticator {
  private let pepper: Pepper
  private let clock: ServerClock
  private let usage: KeyUsageNotes
  private var remembered: [Hash128: KeyHash] = [:]
  /// Most requests come with the same key as the one before. In the same catalogue it is the same.
  /// Members of their own: a tuple would be copied, with a reference to each, to be looked at.
  private var latestHeader: [UInt8] = []
  private var latestKey: KeyInForce?
  private var latestSnapshot: CatalogueSnapshot?
  private static let rememberedMax = 4096

  init(pepper: Pepper, clock: ServerClock, usage: KeyUsage) {
    self.pepper = pepper
    self.clock = clock
    self.usage = KeyUsageNotes(usage)
  }

  /// Nil when there is no key in force; the caller is not told why.
  func key(of request: Request, in snapshot: CatalogueSnapshot) -> KeyInForce? {
    // Two would be read in two ways by two programs.
    guard let header = request.onlyHeader("authorization") else { return nil }
    if latestSnapshot === snapshot, ConstantTime.isEqual(header, latestHeader),
      let key = latestKey, key.isInForce(at: clock.now)
    {
      usage.note(key.key.id)
      return key
    }
    guard let key = find(header, in: snapshot.catalogue) else { return nil }
    (latestHeader, latestKey, latestSnapshot) = (Array(header), key, snapshot)
    usage.note(key.key.id)
    return key
  }

  private func find(_ header: ArraySlice<UInt8>, in catalogue: Catalogue) -> KeyInForce? {
    let mark = SipHash.hash128(header)
    if let hash = remembered[mark] { return catalogue.keyInForce(hash, at: clock.now) }
    guard let secret = Self.bearer(header) else { return nil }
    let hash = pepper.hash(secret)
    // Only keys that exist are worth remembering: guesses must not push them out.
    guard let key = catalogue.keyInForce(hash, at: clock.now) else { return nil }
    if remembered.count >= Self.rememberedMax { remembered.removeAll(keepingCapacity: true) }
    remembered[mark] = hash
    return key
  }

  /// What follows "Bearer " (RFC 6750 §2.1; the scheme's name in any case).
  private static func bearer(_ header: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let scheme = "bearer ".utf8
    guard header.count > scheme.count,
      zip(header, scheme).allSatisfy({ $0 == $1 || $0 | 0x20 == $1 })
    else {
      return nil
    }
    let secret = header.dropFirst(scheme.count).drop { $0 == 0x20 }
    return (1...256).contains(secret.count) ? secret : nil
  }
}
