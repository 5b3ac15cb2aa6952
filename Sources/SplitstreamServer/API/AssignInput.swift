/// AssignInput. Members that nobody knows are ignored: SDKs are older or newer than the server.
struct AssignBody {
  let experiment: ExperimentKey
  let unit: UnitID
  let logsExposure: Bool
  /// Nil when it says nothing of the unit.
  private let body: JSONValue?

  /// What the caller says of the unit; only a new unit of an experiment with an audience needs it.
  var context: JSONValue? { body?["context"] }

  /// - Parameter request: borrowed: an initialiser is given a copy otherwise.
  init(_ request: borrowing Request) throws(APIError) {
    try BodyReader.checkContentType(request)
    if let plain = Self(plain: request.body) {
      self = plain
      return
    }
    let body = try BodyReader.object(request)
    if let experiment = body["experiment_key"]?.stringBytes,
      let unit = UnitInput.read(body), ContextInput.isFit(body)
    {
      self.experiment = ExperimentKey(experiment)
      self.unit = unit
      self.body = body
      logsExposure = body["log_exposure"]?.bool ?? true
    } else {
      throw .validation(try Self.problems(body))
    }
  }

  /// Of a body that holds nothing but these members, plainly written; nil for any other, right or
  /// wrong.
  private init?(plain text: ArraySlice<UInt8>) {
    let bytes = text.span
    func slice(_ range: Range<Int>) -> ArraySlice<UInt8> {
      text[text.startIndex + range.lowerBound..<text.startIndex + range.upperBound]
    }
    var (experiment, unit): (Range<Int>?, Range<Int>?)
    var logsExposure: Bool?
    var reader = JSONPlainReader()
    while let member = reader.next(in: bytes) {
      let name = bytes.extracting(member.name)
      switch member.value {
      case .string(let value) where JSONString.bytes(name, equal: "unit_id") && unit == nil:
        unit = value
      case .string(let value)
      where JSONString.bytes(name, equal: "experiment_key") && experiment == nil:
        experiment = value
      case .bool(let flag)
      where JSONString.bytes(name, equal: "log_exposure") && logsExposure == nil:
        logsExposure = flag
      default: return nil
      }
    }
    guard reader.isComplete, let experiment, let unit, let unit = UnitID(slice(unit)) else {
      return nil
    }
    self.experiment = ExperimentKey(slice(experiment))
    self.unit = unit
    self.logsExposure = logsExposure ?? true
    body = nil
  }

  /// What is wrong, member by member; the plain path does not pay for it.
  private static func problems(_ value: JSONValue) throws(APIError) -> [FieldProblem] {
    let body = try BodyReader(value, at: "")
    body.require(["experiment_key", "unit_id"])
    _ = body.present("experiment_key", body.text("experiment_key", bytes: 0...Int.max))
    UnitInput.note("unit_id", in: body)
    ContextInput.note(value, in: body)
    return body.problems
  }
}

/// AssignBatchInput.
struct AssignBatchBody {
  static let countMax = 50

  /// Each once, in the order of the list.
  let experiments: [ExperimentKey]
  let unit: UnitID
  let logsExposure: Bool
  private let body: JSONValue

  /// What the caller says of the unit.
  var context: JSONValue? { body["context"] }

  init(_ request: Request) throws(APIError) {
    let body = try BodyReader.object(request)
    let keys = body["experiments"].map(Self.keys) ?? []
    if !keys.isEmpty, let unit = UnitInput.read(body), ContextInput.isFit(body) {
      experiments = keys
      self.unit = unit
      self.body = body
      logsExposure = body["log_exposure"]?.bool ?? true
    } else {
      throw .validation(try Self.problems(body))
    }
  }

  /// Empty when the list is not one.
  private static func keys(_ list: JSONValue) -> [ExperimentKey] {
    guard list.kind == .array, list.elements.count <= countMax else { return [] }
    var seen: Set<ExperimentKey> = []
    var keys: [ExperimentKey] = []
    for element in list.elements {
      guard let bytes = element.stringBytes else { return [] }
      let key = ExperimentKey(bytes)
      if seen.insert(key).inserted { keys.append(key) }
    }
    return keys
  }

  private static func problems(_ value: JSONValue) throws(APIError) -> [FieldProblem] {
    let body = try BodyReader(value, at: "")
    body.require(["experiments", "unit_id"])
    if let list = value["experiments"] {
      if list.kind != .array || !(1...countMax).contains(list.elements.count) {
        body.note("experiments", "must be an array of 1 to \(countMax) keys")
      } else {
        for (index, element) in list.elements.enumerated() where element.kind != .string {
          body.note("experiments/\(index)", "must be a string")
        }
      }
    }
    UnitInput.note("unit_id", in: body)
    ContextInput.note(value, in: body)
    return body.problems
  }
}

/// Reads a `unit_id`: 1–256 bytes of UTF-8 without NUL, as they are.
enum UnitInput {
  /// The unit of a body that may be wrong elsewhere; nil when there is none to read.
  static func read(_ body: JSONValue) -> UnitID? {
    body["unit_id"]?.stringBytes.flatMap { UnitID($0) }
  }

  static func read(_ name: String, in body: BodyReader) -> UnitID? {
    guard let text = body.present(name, body.text(name, bytes: 1...UnitID.bytesMax)) else {
      return nil
    }
    // Too long or empty is noted already; the JSON reader lets no NUL through.
    return UnitID(text)
  }

  static func note(_ name: String, in body: BodyReader) { _ = read(name, in: body) }

  /// The unit that a path names, percent-decoded once by the router.
  static func path(_ text: String) throws(APIError) -> UnitID {
    guard let unit = UnitID(text) else {
      throw .validation([
        FieldProblem(
          pointer: "/path/unit_id", detail: "must be 1 to \(UnitID.bytesMax) bytes of UTF-8")
      ])
    }
    return unit
  }
}

/// The `context` of a unit, and whether its exposure is logged: what every assigning body may have.
enum ContextInput {
  static let bytesMax = 4096

  static func isFit(_ body: JSONValue) -> Bool {
    isContext(body["context"]) && (body["log_exposure"].map { $0.bool != nil } ?? true)
  }

  static func note(_ value: JSONValue, in body: BodyReader) {
    if !isContext(value["context"]) {
      body.note("context", "must be an object of at most \(bytesMax) bytes")
    }
    _ = body.present("log_exposure", body.boolean("log_exposure"))
  }

  private static func isContext(_ context: JSONValue?) -> Bool {
    guard let context else { return true }
    return context.kind == .object && context.source.count <= bytesMax
  }
}
