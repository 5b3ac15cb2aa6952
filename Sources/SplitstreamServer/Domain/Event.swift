/// Something a unit did, accepted but perhaps not yet in PostgreSQL.
struct Event: Equatable, Sendable {
  /// Made before the event is accepted; its time is when the event was received.
  let id: ULID
  let environmentID: ULID
  let eventKey: String
  let unitID: UnitID
  let occurredAt: Timestamp
  /// The JSON text as received, numbers and all; nil when there was none.
  let properties: [UInt8]?
  let clientEventID: String?
  let isLate: Bool

  static let propertiesBytesMax = 16 * 1024
  static let propertiesNestingMax = 8
  static let clientEventIDLengthMax = 128
  /// How long a `client_event_id` is remembered, and the oldest an event may be.
  static let daysMax = 30

  /// What becomes of an event by its age.
  enum Timing: Equatable {
    case onTime
    /// 7 to 30 days old: accepted and counted as late.
    case late
    case tooOld
    /// More than 24 hours ahead of the server's clock.
    case inFuture

    init(occurredAt: Timestamp, receivedAt: Timestamp) {
      if occurredAt > receivedAt.adding(days: 1) {
        self = .inFuture
      } else if occurredAt.adding(days: Event.daysMax) < receivedAt {
        self = .tooOld
      } else {
        self = occurredAt.adding(days: 7) <= receivedAt ? .late : .onTime
      }
    }
  }
}
