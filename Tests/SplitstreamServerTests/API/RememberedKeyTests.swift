import Testing

@testable import SplitstreamServer

/// A loop remembers whose key the last request came with, and never for longer than it is in force.
@Suite struct RememberedKeyTests {
  private let pepper: Pepper
  private let clock = ServerClock()
  private let key = APIKey(
    id: .new(), workspaceID: .new(), environmentID: nil, kind: .client, name: "k",
    prefix: "ss_clt_all", lastFour: "cret", createdAt: Timestamp(microseconds: 0), lastUsedAt: nil)

  init() throws { pepper = try Pepper(Pepper.random()) }

  private func snapshot(validUntil: Timestamp? = nil) -> CatalogueSnapshot {
    var catalogue = Catalogue()
    catalogue.put(key, hash: pepper.hash("secret"), validUntil: validUntil)
    return CatalogueSnapshot(catalogue)
  }

  private func request(_ secret: String) throws -> Request {
    try Request(
      parsing: "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(secret)\r\n\r\n")
  }

  @Test("another secret, and a catalogue without the key, refuse")
  func revoked() throws {
    let authenticator = Authenticator(pepper: pepper, clock: clock, usage: KeyUsage())
    let snapshot = snapshot()
    for _ in 0..<3 {
      try #expect(authenticator.key(of: request("secret"), in: snapshot)?.key == key)
      try #expect(authenticator.key(of: request("secreT"), in: snapshot) == nil)
    }
    try #expect(
      authenticator.key(of: request("secret"), in: CatalogueSnapshot(Catalogue())) == nil)
  }

  @Test("a secret that was replaced is refused from its end on, in the same catalogue")
  func ended() throws {
    let authenticator = Authenticator(pepper: pepper, clock: clock, usage: KeyUsage())
    let now = ServerClock.processTime()
    let snapshot = snapshot(validUntil: now.adding(seconds: 3600))
    for _ in 0..<3 {
      try #expect(authenticator.key(of: request("secret"), in: snapshot)?.key == key)
    }
    clock.adjust(to: now.adding(seconds: 3601), askedAt: now, answeredAt: now)
    try #expect(authenticator.key(of: request("secret"), in: snapshot) == nil)
  }
}
