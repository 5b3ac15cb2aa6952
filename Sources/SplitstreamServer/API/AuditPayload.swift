/// The payload of an audit line: a small JSON object. No secret and no unit's data goes in.
enum AuditPayload {
  static let empty: [UInt8] = [UInt8]("{}".utf8)

  static func of(_ members: KeyValuePairs<String, any JSONWritable>) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      for (name, value) in members {
        json.key(name)
        value.write(to: &json)
      }
    }
    return json.bytes
  }
}
