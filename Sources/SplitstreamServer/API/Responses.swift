extension Response {
  static func json(_ body: [UInt8], status: Int = 200) -> Response {
    Response(status: status, headers: [], contentType: "application/json", body: body)
  }

  /// One thing as JSON.
  static func json(_ value: some JSONWritable, status: Int = 200) -> Response {
    var json = JSONWriter()
    value.write(to: &json)
    return .json(json.bytes, status: status)
  }

  static var noContent: Response { Response(status: 204, headers: [], contentType: nil, body: []) }
}
