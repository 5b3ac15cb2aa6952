/// Reads the members of a JSON object and notes everything that is wrong with them, so that a
/// caller learns of every mistake at once.
struct BodyReader {
  private let value: JSONValue
  private let pointer: String
  private let notes: Notes

  /// A member as it stands in the body.
  enum Given<Value> {
    case absent
    case null
    case value(Value)
  }

  /// The first mistake of each member: one that cannot be read has no rule to break. So many at
  /// most, lest an answer be many times as long as what it is about.
  private final class Notes {
    /// One more than a problem names, so that it can say that there are more.
    static let countMax = ProblemDetails.errorsMax + 1
    var problems: [FieldProblem] = []
    var pointers: Set<String> = []
  }

  /// - Throws: `APIError` when the request has no JSON object as its body.
  init(_ request: Request) throws(APIError) {
    try self.init(Self.object(request), at: "")
  }

  init(_ value: JSONValue, at pointer: String) throws(APIError) {
    guard value.kind == .object else {
      throw .validation([FieldProblem(pointer: pointer, detail: "must be an object")])
    }
    self.init(value, pointer, Notes())
  }

  private init(_ value: JSONValue, _ pointer: String, _ notes: Notes) {
    self.value = value
    self.pointer = pointer
    self.notes = notes
  }

  /// The body as JSON; 415 when it says that it is something else.
  static func object(_ request: Request) throws(APIError) -> JSONValue {
    try checkContentType(request)
    do {
      return try JSONValue(parsing: request.body, depthMax: request.nestingMax)
    } catch {
      throw .malformedJSON(error)
    }
  }

  static func checkContentType(_ request: Request) throws(APIError) {
    if let type = request.header("content-type"), !isJSON(type) { throw .unsupportedMediaType }
  }

  /// On bytes, in any case of ASCII letters: a letter that folds to one by Unicode's rules is
  /// another letter here.
  private static func isJSON(_ contentType: ArraySlice<UInt8>) -> Bool {
    contentType.matches("application/json")
      || contentType.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        .matches("application/json")
  }

  // MARK: The outcome

  var problems: [FieldProblem] { notes.problems }

  func note(_ member: String, _ detail: String) {
    let place = "\(pointer)/\(member)"
    guard notes.problems.count < Notes.countMax, notes.pointers.insert(place).inserted else {
      return
    }
    notes.problems.append(FieldProblem(pointer: place, detail: detail))
  }

  /// - Throws: `APIError.validation` with all that was noted here and in the objects within.
  func finish() throws(APIError) {
    if !notes.problems.isEmpty { throw .validation(notes.problems) }
  }

  // MARK: Which members

  /// Notes the members that are missing.
  func require(_ names: [String]) {
    for name in names where value[member: name] == nil { note(name, "is required") }
  }

  /// Notes the members that nobody knows: on admin paths a typo is a wrong experiment.
  func allowOnly(_ names: [String]) {
    for (name, _) in value.members where !names.contains(name) {
      note(JSONPointer.escaped(name), "is not a field of this object")
    }
  }

  func has(_ name: String) -> Bool { value[member: name] != nil }

  // MARK: Members

  func text(_ name: String, bytes: ClosedRange<Int>) -> Given<String> {
    read(name, expected: "a string") { member in
      guard let text = member.string else { return nil }
      if !bytes.contains(text.utf8.count) {
        note(
          name,
          text.isEmpty ? "must not be empty" : "must be at most \(bytes.upperBound) bytes of UTF-8")
      }
      return text
    }
  }

  /// A name by the contract's pattern.
  func key(_ name: String, lengthMax: Int) -> Given<String> {
    read(name, expected: "a string") { member in
      guard let text = member.string else { return nil }
      if !Names.isKey(text, lengthMax: lengthMax) {
        note(name, "must match ^[a-z0-9._-]{1,\(lengthMax)}$")
      }
      return text
    }
  }

  func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ type: T.Type) -> Given<T>
  where T.RawValue == String {
    read(
      name, expected: "one of " + T.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    ) {
      $0.string.flatMap(T.init(rawValue:))
    }
  }

  func integer(_ name: String) -> Given<Int> {
    read(name, expected: "a whole number") { $0.integer }
  }
  func integers(_ name: String) -> Given<[Int]> {
    read(name, expected: "an array of whole numbers") { member in
      let numbers = member.elements.compactMap(\.integer)
      return member.kind == .array && numbers.count == member.elements.count ? numbers : nil
    }
  }
  func number(_ name: String) -> Given<Double> { read(name, expected: "a number") { $0.double } }
  /// Any JSON but null, as received.
  func json(_ name: String, bytesMax: Int) -> Given<[UInt8]> {
    read(name, expected: "at most \(bytesMax) bytes of JSON") { member in
      member.source.count <= bytesMax ? [UInt8](member.source) : nil
    }
  }

  func boolean(_ name: String) -> Given<Bool> { read(name, expected: "true or false") { $0.bool } }
  func id(_ name: String) -> Given<ULID> {
    read(name, expected: "a ULID") { $0.string.flatMap(ULID.init(_:)) }
  }

  func ids(_ name: String) -> Given<[ULID]> {
    read(name, expected: "an array of ULIDs") { member in
      guard member.kind == .array else { return nil }
      var ids: [ULID] = []
      for (index, element) in member.elements.enumerated() {
        if let id = element.string.flatMap(ULID.init(_:)) {
          ids.append(id)
        } else {
          note("\(name)/\(index)", "must be a ULID")
        }
      }
      return ids
    }
  }

  /// A point in time by RFC 3339.
  func time(_ name: String) -> Given<Timestamp> {
    read(name, expected: "a time of RFC 3339, such as 2026-01-31T09:00:00Z") {
      $0.string.flatMap { Timestamp(rfc3339: $0) }
    }
  }

  func texts(_ name: String) -> Given<[String]> {
    read(name, expected: "an array of strings") { member in
      guard member.kind == .array else { return nil }
      var texts: [String] = []
      for (index, element) in member.elements.enumerated() {
        if let text = element.string {
          texts.append(text)
        } else {
          note("\(name)/\(index)", "must be a string")
        }
      }
      return texts
    }
  }

  /// An audience expression, whose mistakes are noted with this object's.
  func audience(_ name: String, mayNameSegments: Bool = true) -> Given<Audience> {
    guard let member = value[member: name] else { return .absent }
    if member.isNull { return .null }
    do throws(AudienceProblems) {
      return .value(
        try AudienceParser.parse(member, at: "/\(name)", mayNameSegments: mayNameSegments).get())
    } catch {
      for problem in error.problems { note(String(problem.pointer.dropFirst()), problem.detail) }
      return .absent
    }
  }

  /// An object within, whose mistakes are noted with this one's.
  func object(_ name: String) -> Given<BodyReader> {
    read(name, expected: "an object") { member in
      member.kind == .object ? BodyReader(member, "\(pointer)/\(name)", notes) : nil
    }
  }

  func objects(_ name: String) -> Given<[BodyReader]> {
    read(name, expected: "an array of objects") { member in
      guard member.kind == .array else { return nil }
      var objects: [BodyReader] = []
      for (index, element) in member.elements.enumerated() {
        if element.kind == .object {
          objects.append(BodyReader(element, "\(pointer)/\(name)/\(index)", notes))
        } else {
          note("\(name)/\(index)", "must be an object")
        }
      }
      return objects
    }
  }

  private func read<T>(_ name: String, expected: String, _ convert: (JSONValue) -> T?) -> Given<T> {
    guard let member = value[member: name] else { return .absent }
    if member.isNull { return .null }
    guard let converted = convert(member) else {
      note(name, "must be \(expected)")
      return .absent
    }
    return .value(converted)
  }
}

extension BodyReader.Given {
  /// The value, or nil when it is absent or null.
  var valueOrNil: Value? {
    if case .value(let value) = self { value } else { nil }
  }
}

extension BodyReader {
  /// The value of a member that may not be null; nil when it is absent or wrong, which is noted.
  func present<T>(_ name: String, _ given: Given<T>) -> T? {
    if case .null = given { note(name, "must not be null") }
    return given.valueOrNil
  }
}
