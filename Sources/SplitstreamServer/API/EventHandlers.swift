/// `POST /v1/events`: a unit did something. 202: Redis has it, on disk, and will not forget its id
/// for 30 days.
struct TrackEventHandler: Handler {
  let buffer: EventBuffer
  let ids: IDSource
  let clock: ServerClock

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try BodyReader.object(request)
    let environment = try caller.environment(request)
    let now = clock.now
    let event = try EventInput.read(
      body, at: "", environment: environment.id, id: ids.make(at: now), receivedAt: now)
    let verdicts = try await buffer.accept([event], shard: environment.shard)
    var json = JSONWriter()
    json.object { json in
      json.member("accepted", true)
      json.member("idempotent_replay", verdicts == [.replayed])
    }
    return .json(json.bytes, status: 202)
  }
}

/// `POST /v1/events/batch`: up to 500 at once, each judged alone; all that are good are accepted
/// together.
struct TrackEventBatchHandler: Handler {
  static let countMax = 500

  let buffer: EventBuffer
  let ids: IDSource
  let clock: ServerClock

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let list = try BatchInput.elements("events", countMax: Self.countMax, request)
    let environment = try caller.environment(request)
    let now = clock.now
    var events: [Event] = []
    events.reserveCapacity(list.count)
    var rejected: [BatchRejection] = []
    for (index, element) in list.enumerated() {
      do {
        events.append(
          try EventInput.read(
            element, at: "/events/\(index)", environment: environment.id, id: ids.make(at: now),
            receivedAt: now))
      } catch {
        rejected.append(BatchRejection(index: index, error: error))
      }
    }
    let verdicts = try await buffer.accept(events, shard: environment.shard)
    return BatchRejection.response(
      acceptedCount: events.count, rejected, replayedCount: verdicts.count { $0 == .replayed })
  }
}

/// EventInput. Members that nobody knows are ignored.
enum EventInput {
  static func read(
    _ value: JSONValue, at pointer: String, environment: ULID, id: ULID, receivedAt: Timestamp
  ) throws(APIError) -> Event {
    let body = try BodyReader(value, at: pointer)
    body.require(["event_key", "unit_id"])
    let eventKey = body.present("event_key", body.key("event_key", lengthMax: 128))
    let unit = UnitInput.read("unit_id", in: body)
    let properties = properties(value, body)
    let clientEventID = clientEventID(body)
    let occurredAt = occurredAt(body) ?? receivedAt
    let timing = Event.Timing(occurredAt: occurredAt, receivedAt: receivedAt)
    if timing == .inFuture { body.note("occurred_at", "is more than 24 hours in the future") }
    try body.finish()
    guard let eventKey, let unit else { throw .validation(body.problems) }
    guard timing != .tooOld else { throw .eventTooOld }
    return Event(
      id: id, environmentID: environment, eventKey: eventKey, unitID: unit, occurredAt: occurredAt,
      properties: properties, clientEventID: clientEventID, isLate: timing == .late)
  }

  private static func occurredAt(_ body: BodyReader) -> Timestamp? {
    guard let text = body.present("occurred_at", body.text("occurred_at", bytes: 1...64)) else {
      return nil
    }
    guard let time = Timestamp(rfc3339: text) else {
      body.note("occurred_at", "must be a time by RFC 3339, like 2026-03-02T12:00:00Z")
      return nil
    }
    return time
  }

  /// An empty id is none.
  private static func clientEventID(_ body: BodyReader) -> String? {
    guard let text = body.present("client_event_id", body.text("client_event_id", bytes: 0...512)),
      !text.isEmpty
    else { return nil }
    // The contract counts characters, as JSON Schema does: code points.
    if text.unicodeScalars.count > Event.clientEventIDLengthMax {
      body.note("client_event_id", "must be at most \(Event.clientEventIDLengthMax) characters")
    }
    return text
  }

  private static func properties(_ value: JSONValue, _ body: BodyReader) -> [UInt8]? {
    guard let properties = value["properties"] else { return nil }
    guard properties.kind == .object else {
      body.note("properties", "must be an object")
      return nil
    }
    if properties.source.count > Event.propertiesBytesMax {
      body.note("properties", "must be at most \(Event.propertiesBytesMax) bytes")
    } else if properties.nesting > Event.propertiesNestingMax {
      body.note("properties", "must be at most \(Event.propertiesNestingMax) levels deep")
    } else if !ExactNumbers.areAll(in: properties.source) {
      body.note("properties", "holds a number with more digits than can be kept")
    }
    return [UInt8](properties.source)
  }
}
