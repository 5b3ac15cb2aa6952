// How the domain's types travel to PostgreSQL and back.

extension PostgresValue {
  static func id(_ id: ULID) -> PostgresValue { .uuid(high: id.high, low: id.low) }
  static func id(_ id: ULID?) -> PostgresValue { id.map(PostgresValue.id) ?? .null }
  static func ids(_ ids: [ULID]) -> PostgresValue {
    .uuids(ids.map { PostgresUUID(high: $0.high, low: $0.low) })
  }
  static func units(_ units: [UnitID]) -> PostgresValue { .utf8s(units.map(\.bytes)) }
  static func text(orNull text: String?) -> PostgresValue { text.map(PostgresValue.text) ?? .null }
  static func instant(_ time: Timestamp) -> PostgresValue {
    .timestamp(microseconds: time.microseconds)
  }
}

extension PropertyPath {
  /// As PostgreSQL reads it: strict, since members of an array's elements are none of its own.
  var jsonpath: String {
    let members = keys.map { key in
      var json = JSONWriter(bytesReserved: 64)
      json.string(key)
      return "." + String(decoding: json.bytes, as: UTF8.self)
    }
    return "strict $" + members.joined()
  }
}

extension Row {
  func id(_ column: Int) throws(PostgresError) -> ULID {
    let uuid = try uuid(column)
    return ULID(high: uuid.high, low: uuid.low)
  }

  func idOrNil(_ column: Int) throws(PostgresError) -> ULID? {
    try uuidOrNil(column).map { ULID(high: $0.high, low: $0.low) }
  }

  func ids(_ column: Int) throws(PostgresError) -> [ULID] {
    try uuids(column).map { ULID(high: $0.high, low: $0.low) }
  }

  func instant(_ column: Int) throws(PostgresError) -> Timestamp {
    Timestamp(microseconds: try timestamp(column))
  }

  func instantOrNil(_ column: Int) throws(PostgresError) -> Timestamp? {
    try timestampOrNil(column).map(Timestamp.init(microseconds:))
  }

  /// One of an enum's raw values; another text means that the schema and this program disagree.
  func choice<T: RawRepresentable>(_ column: Int, _ type: T.Type = T.self) throws(PostgresError)
    -> T
  where T.RawValue == String {
    let text = try text(column)
    guard let value = T(rawValue: text) else {
      throw PostgresError.decoding("column \(column) holds \"\(text)\", which is no \(T.self)")
    }
    return value
  }

  func choiceOrNil<T: RawRepresentable>(_ column: Int, _ type: T.Type = T.self)
    throws(PostgresError) -> T?
  where T.RawValue == String {
    try isNull(column) ? nil : choice(column, type)
  }
}

extension StorageError {
  init(_ error: PostgresError) {
    switch error {
    case .unavailable(let detail): self = .unavailable(.postgres, detail)
    case .timeout: self = .outcomeUnknown(.postgres, "no answer in time")
    case .lost(let detail): self = .outcomeUnknown(.postgres, detail)
    case .server(let error) where error.sqlState == "23505":
      self = .conflict(constraint: error.constraint ?? "")
    case .server(let error) where error.sqlState == "23503": self = .inUse
    case .server(let error) where Self.isPassing(error.sqlState):
      self = .unavailable(.postgres, error.message)
    case .server(let error): self = .failed(.postgres, "\(error.sqlState): \(error.message)")
    case .invalidAddress, .decoding: self = .failed(.postgres, "\(error)")
    }
  }

  /// Classes of SQLSTATE that are about the server's state, not about what was asked: connection
  /// (08), rollback by deadlock or serialisation (40), resources (53), operator's intervention
  /// (57), system (58).
  private static func isPassing(_ state: String) -> Bool {
    ["08", "40", "53", "57", "58"].contains(String(state.prefix(2)))
  }
}
