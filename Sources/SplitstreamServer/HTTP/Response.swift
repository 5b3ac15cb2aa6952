/// An answer. Date, Content-Length and Connection are the writer's.
struct Response: Sendable {
  var status: Int
  var headers: [(name: String, value: String)] = []
  var contentType: String?
  var body: [UInt8] = []
}
