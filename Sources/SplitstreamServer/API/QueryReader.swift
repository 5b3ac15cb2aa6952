/// Reads the parameters of a query and notes everything that is wrong with them. Of two with one
/// name the first counts; those that nobody knows are ignored.
struct QueryReader {
  private let values: [String: String]
  private var problems: [FieldProblem] = []

  init(_ request: Request) throws(HTTPError) {
    values = Dictionary(try request.queryItems().map { ($0.name, $0.value) }) { first, _ in first }
  }

  func text(_ name: String) -> String? { values[name] }

  mutating func id(_ name: String, expected: String = "a ULID") -> ULID? {
    read(name, expected: expected, ULID.init(_:))
  }

  mutating func time(_ name: String) -> Timestamp? {
    read(name, expected: "a time of RFC 3339, such as 2026-01-31T09:00:00Z") {
      Timestamp(rfc3339: $0)
    }
  }

  mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ type: T.Type) -> T?
  where T.RawValue == String {
    read(
      name, expected: "one of " + T.allCases.map(\.rawValue).joined(separator: ", "),
      T.init(rawValue:))
  }

  /// `limit` and `cursor`. A page is read with one row more than asked: the sign of a next page.
  mutating func page(limitMax: Int = Paging.limitMax) -> Page {
    let limit = read("limit", expected: "a whole number from 1 to \(limitMax)") { text in
      Self.decimal(text).flatMap { (1...limitMax).contains($0) ? $0 : nil }
    }
    let before = id("cursor", expected: "the next_cursor of an earlier page")
    return Page(before: before, limit: (limit ?? Paging.limitDefault) + 1)
  }

  /// - Throws: `APIError.validation` with all that was noted.
  func finish() throws(APIError) {
    if !problems.isEmpty { throw .validation(problems) }
  }

  private mutating func read<T>(_ name: String, expected: String, _ convert: (String) -> T?) -> T? {
    guard let text = values[name] else { return nil }
    let value = convert(text)
    if value == nil {
      problems.append(FieldProblem(pointer: "/query/\(name)", detail: "must be \(expected)"))
    }
    return value
  }

  /// ASCII digits only, few enough to be a number.
  private static func decimal(_ text: String) -> Int? {
    guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return Int(text)
  }
}
