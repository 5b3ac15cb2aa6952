/// What a test waited for did not come about.
struct NotEventually: Error, CustomStringConvertible {
  let description: String
}

/// The same on every loop of a server, and for good: each call has a connection of its own, which
/// any loop may get, and they hear of a change one after the other.
func everywhere(_ what: String, _ isTrue: () async throws -> Bool) async throws {
  try await eventually(what) {
    for _ in 0..<16 { guard try await isTrue() else { return false } }
    return true
  }
}

/// Asks again and again, at most a minute, for what gives no signal by itself; and a hundred times
/// at least: the threads that run tests are few, and one may be given back only after the minute.
func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(60)
  var asked = 0
  while try await !isTrue() {
    asked += 1
    guard asked < 100 || ContinuousClock.now < end else {
      throw NotEventually(description: "not in a minute: \(what)")
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
