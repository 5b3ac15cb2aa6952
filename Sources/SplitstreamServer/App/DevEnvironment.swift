/// `dev.env`: where the development server is and the keys of its demo workspace, for shells and
/// programs.
struct DevEnvironment: Equatable, Sendable {
  var url: String
  var serverKey: String
  var clientKey: String
  var databaseURL: String
  var redisURL: String

  /// One `NAME=value` a line; the values hold nothing that a shell would read otherwise.
  var text: String {
    Self.names.map { "\($0.0)=\(self[keyPath: $0.1])\n" }.joined()
  }

  /// Atomically, for the owner's eyes only.
  func write(to file: String) throws(FileError) {
    try Files.writePrivate(text, to: file)
  }

  /// - Returns: nil when there is no such file or it is not whole.
  static func read(from file: String) throws(FileError) -> DevEnvironment? {
    guard Files.exists(file) else { return nil }
    return DevEnvironment(parsing: try Files.read(file))
  }

  init(url: String, serverKey: String, clientKey: String, databaseURL: String, redisURL: String) {
    self.url = url
    self.serverKey = serverKey
    self.clientKey = clientKey
    self.databaseURL = databaseURL
    self.redisURL = redisURL
  }

  init?(parsing text: String) {
    self.init(url: "", serverKey: "", clientKey: "", databaseURL: "", redisURL: "")
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      guard let sign = line.firstIndex(of: "="),
        let path = Self.names.first(where: { $0.0 == line[..<sign] })?.1
      else { continue }
      self[keyPath: path] = String(line[line.index(after: sign)...])
    }
    guard Self.names.allSatisfy({ !self[keyPath: $0.1].isEmpty }) else { return nil }
  }

  private static let names: [(String, WritableKeyPath<DevEnvironment, String> & Sendable)] = [
    ("SPLITSTREAM_URL", \.url), ("SPLITSTREAM_SERVER_KEY", \.serverKey),
    ("SPLITSTREAM_CLIENT_KEY", \.clientKey), ("DATABASE_URL", \.databaseURL),
    ("REDIS_URL", \.redisURL),
  ]
}
