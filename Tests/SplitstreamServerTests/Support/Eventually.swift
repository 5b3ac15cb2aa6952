/// What a test waited for did not come about.
struct NotEventually: Error, CustomStringConvertible {
  let description: String
}

/// Asks again and again, at most a minute, for what gives no signal by itself.
func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !isTrue() {
    guard ContinuousClock.now < end else {
      throw NotEventually(description: "not in a minute: \(what)")
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
