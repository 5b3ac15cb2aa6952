// How audiences travel to PostgreSQL and back: as they were given, byte for byte.

extension PostgresValue {
  /// A column of type `json`.
  static func json(_ bytes: [UInt8]?) -> PostgresValue { bytes.map(PostgresValue.utf8) ?? .null }
}

extension Row {
  /// What one version has accepted every later one must be able to read.
  func audience(_ column: Int) throws(PostgresError) -> Audience {
    let bytes = try json(column)
    guard let value = try? JSONValue(parsing: bytes),
      case .success(let audience) = AudienceParser.parse(value)
    else { throw PostgresError.decoding("column \(column) holds no audience expression") }
    return audience
  }

  func audienceOrNil(_ column: Int) throws(PostgresError) -> Audience? {
    try isNull(column) ? nil : audience(column)
  }
}
