/// An answer. Date, Content-Length and Connection are the writer's.
struct Response: Sendable {
  var status: Int
  var headers: [(name: String, value: String)] = []
  var contentType: String?
  var body: [UInt8] = []
  /// Field lines from the source, each with its line end: cheaper than as `headers`.
  var constantFields: StaticString = ""
}
