/// Finds the API key of a request. Loop-owned.
///
/// Keys are found by HMAC under the pepper, never compared as text. The HMAC of a header seen
/// before is remembered by a keyed hash of the header, so that a busy key costs one SipHash a
/// request; whether the key is still in force is asked of the catalogue every time.
final class Authenticator {
  private let pepper: Pepper
  private let clock: ServerClock
  private let usage: KeyUsageNotes
  private var remembered: [Hash128: KeyHash] = [:]
  /// Most requests come with the same key as the one before.
  private var latest: (mark: Hash128, hash: KeyHash)?
  private static let rememberedMax = 4096

  init(pepper: Pepper, clock: ServerClock, usage: KeyUsage) {
    self.pepper = pepper
    self.clock = clock
    self.usage = KeyUsageNotes(usage)
  }

  /// Nil when there is no key in force; the caller is not told why.
  func key(of request: Request, in catalogue: Catalogue) -> APIKey? {
    let key = find(request, in: catalogue)
    if let key { usage.note(key.id) }
    return key
  }

  private func find(_ request: Request, in catalogue: Catalogue) -> APIKey? {
    // Two would be read in two ways by two programs.
    guard let header = request.header("authorization"), request.headerCount("authorization") == 1
    else { return nil }
    let mark = SipHash.hash128(header)
    if let latest, latest.mark == mark { return catalogue.key(latest.hash, at: clock.now) }
    if let hash = remembered[mark] {
      latest = (mark, hash)
      return catalogue.key(hash, at: clock.now)
    }
    guard let secret = Self.bearer(header) else { return nil }
    let hash = pepper.hash(secret)
    // Only keys that exist are worth remembering: guesses must not push them out.
    guard let key = catalogue.key(hash, at: clock.now) else { return nil }
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
