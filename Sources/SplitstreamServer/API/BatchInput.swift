/// The list in the body of a batch.
enum BatchInput {
  /// The elements of the array `name`, 1 … `countMax` of them.
  static func elements(_ name: StaticString, countMax: Int, _ request: Request) throws(APIError)
    -> [JSONValue]
  {
    let body = try BodyReader.object(request)
    guard let list = body[name], list.kind == .array, (1...countMax).contains(list.elements.count)
    else {
      throw .validation([
        FieldProblem(pointer: "/\(name)", detail: "must be an array of 1 to \(countMax) objects")
      ])
    }
    return Array(list.elements)
  }
}

/// One refused element of a batch; the others are taken.
struct BatchRejection {
  let index: Int
  let reason: String

  init(index: Int, reason: String) {
    self.index = index
    self.reason = reason
  }

  init(index: Int, error: any Error) {
    let problem = ProblemDetails(error)
    let fields = problem.errors.map { "\($0.pointer) \($0.detail)" }
    self.init(
      index: index,
      reason: fields.isEmpty ? problem.detail ?? problem.title : fields.joined(separator: "; "))
  }

  static func response(
    acceptedCount: Int, _ rejected: [BatchRejection], replayedCount: Int? = nil
  ) -> Response {
    var json = JSONWriter()
    json.object { json in
      json.member("accepted_count", acceptedCount)
      if let replayedCount { json.member("replayed_count", replayedCount) }
      json.member("rejected", array: rejected.sorted { $0.index < $1.index }) { json, rejection in
        json.object { json in
          json.member("index", rejection.index)
          json.member("reason", rejection.reason)
        }
      }
    }
    return .json(json.bytes, status: 202)
  }
}
