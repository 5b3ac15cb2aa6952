import CPostgres
import Glibc

extension PostgresSession {
  /// Asks for the notifications of a channel. They are sent from the commit of this on: read the
  /// state after it.
  func listen(_ channel: String) throws(PostgresError) {
    let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false)
    try script("LISTEN \"\(quoted.joined(separator: "\"\""))\"")
  }

  /// What has arrived since the last take; does not wait.
  func takeNotifications() throws(PostgresError) -> [PostgresNotification] {
    try readNotifications()
    defer { notifications = [] }
    return notifications
  }

  /// Waits until there is a notification to take; false when there is none after `seconds`.
  func wait(forSeconds seconds: Double) throws(PostgresError) -> Bool {
    let deadline = Deadline(afterSeconds: seconds)
    try readNotifications()
    while notifications.isEmpty {
      guard try poll(for: POLLIN, deadline) else { return false }
      try readNotifications()
    }
    return true
  }

  private func readNotifications() throws(PostgresError) {
    let handle = try opened()
    try require(PQconsumeInput(handle) == 1)
    while let pointer = PQnotifies(handle) {
      defer { PQfreemem(pointer) }
      notifications.append(
        PostgresNotification(
          channel: String(cString: pointer.pointee.relname),
          payload: String(cString: pointer.pointee.extra)))
    }
  }
}

/// One NOTIFY that reached a session.
struct PostgresNotification: Sendable, Equatable {
  let channel: String
  let payload: String
}
