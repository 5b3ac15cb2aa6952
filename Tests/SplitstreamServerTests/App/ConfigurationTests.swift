import Testing

@testable import SplitstreamServer

/// A configuration is taken whole or refused with everything that is wrong with it: no key is
/// ignored in silence.
@Suite struct ConfigurationTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func withoutFileAndVariablesTheDefaultsHold() throws {
    let configuration = try Configuration.load(file: nil, environment: ["PATH": "/bin"])
    #expect(configuration.server.host == "127.0.0.1" && configuration.server.port == 8000)
    #expect(configuration.limits.batchBodyBytesMax == 9_437_184)
    #expect(configuration.events.backlogMax == 100_000)
    #expect(configuration.log.level == "info" && configuration.security.pepper == nil)
  }

  @Test func theFileOverridesDefaultsAndVariablesOverrideTheFile() throws {
    let configuration = try load(
      """
      [server]
      host = "0.0.0.0"
      port = 9000
      [postgres]
      url = "postgresql://app:word@db/splitstream"
      [log]
      level = "debug"
      """,
      [
        "SPLITSTREAM_SERVER_PORT": "9001", "SPLITSTREAM_LOG_LEVEL": "error",
        "SPLITSTREAM_REDIS_URL": "",
      ])
    #expect(configuration.server.host == "0.0.0.0" && configuration.server.port == 9001)
    #expect(configuration.postgres.url == "postgresql://app:word@db/splitstream")
    #expect(configuration.log.level == "error" && configuration.redis.url.isEmpty)
  }

  private static let serverKeys = ConfigurationKey.all.filter { $0.section == "server" }
    .map(\.name).joined(separator: ", ")

  /// `\.limits.bodySecondsMax` belongs to `limits.body_seconds_max` and to nothing else.
  @Test("every key leads to the member of its name", arguments: ConfigurationKey.all)
  func members(key: ConfigurationKey) {
    let path: AnyKeyPath
    switch key.kind {
    case .integer(_, _, let member): path = member
    case .text(let member), .choice(_, let member), .url(_, let member), .path(let member):
      path = member
    case .flag(let member): path = member
    case .networks(let member): path = member
    case .pepper, .pepperFile: return
    }
    let name = "\(path)".dropFirst("\\Configuration.".count)
    #expect(name.map { $0.isUppercase ? "_" + $0.lowercased() : "\($0)" }.joined() == key.fullName)
  }

  /// Two ways to the same value, for every row of the table.
  @Test("every key is reached by file and by variable", arguments: ConfigurationKey.all)
  func everyKey(key: ConfigurationKey) throws {
    let value: String
    // As TOML spells it, and what must be given with it.
    var toml: String?
    var others: [String: String] = [:]
    let read: (Configuration) -> String
    switch key.kind {
    case .integer(let range, _, let path):
      value = "\(range.upperBound - 1)"
      toml = value
      read = { "\($0[keyPath: path])" }
      if key.fullName == "tls.port" { others = try certificateVariables() }
    case .flag(let path):
      value = "true"
      toml = value
      read = { "\($0[keyPath: path])" }
      others = try certificateVariables()
      others["SPLITSTREAM_TLS_PORT"] = "8443"
      others["SPLITSTREAM_PROXIES_TRUSTED"] = "10.0.0.0/8"
    case .path(let path) where key.section == "tls":
      others = try certificateVariables()
      value = try #require(others[key.variable])
      others[key.variable] = nil
      read = { $0[keyPath: path] }
    case .networks(let path):
      value = "10.0.0.0/8, ::1/128"
      toml = "[\"10.0.0.0/8\", \"::1\"]"
      read = { $0[keyPath: path].map(\.description).joined(separator: ", ") }
    case .text(let path), .path(let path):
      value = "some text"
      read = { $0[keyPath: path] }
    case .choice(let choices, let path):
      value = choices[0]
      read = { $0[keyPath: path] }
    case .url(let schemes, let path):
      value = schemes[0] + "there"
      read = { $0[keyPath: path] }
    case .pepper:
      value = Self.pepper
      read = { $0.security.pepper == nil ? "" : value }
    case .pepperFile:
      value = try folder.write(Self.pepper + "\n", to: "pepper")
      read = { $0.security.pepper == nil ? "" : value }
    }
    let text = "[\(key.section)]\n\(key.name) = \(toml ?? "\"\(value)\"")"
    #expect(read(Configuration()) != value)
    #expect(try read(load(text, others)) == value)
    others[key.variable] = value
    #expect(try read(load("", others)) == value)
  }

  @Test func theTableNamesEveryKeyOnce() {
    #expect(Set(ConfigurationKey.all.map(\.fullName)).count == ConfigurationKey.all.count)
    // A variable names one key although sections and keys are joined by the sign that keys hold.
    #expect(Set(ConfigurationKey.all.map(\.variable)).count == ConfigurationKey.all.count)
    for key in ConfigurationKey.all { #expect(key.summary.hasSuffix("."), "\(key.fullName)") }
  }

  @Test("defaults are within their own bounds", arguments: ConfigurationKey.all)
  func defaults(key: ConfigurationKey) {
    let defaults = Configuration()
    switch key.kind {
    case .integer(let range, _, let path): #expect(range.contains(defaults[keyPath: path]))
    case .choice(let choices, let path): #expect(choices.contains(defaults[keyPath: path]))
    case .networks(let path): #expect(defaults[keyPath: path].isEmpty)
    case .flag(let path): #expect(!defaults[keyPath: path])
    case .text(let path): #expect(!defaults[keyPath: path].isEmpty)
    case .url(_, let path), .path(let path): #expect(defaults[keyPath: path].isEmpty)
    case .pepper, .pepperFile: break
    }
  }

  @Test("a URL that a store's own reader refuses is a mistake, and is not repeated")
  func urls() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try load(
        """
        [postgres]
        url = "postgresql://app:word@db:port:/x?nonsense=1"
        [redis]
        url = "redis://app:word@:0/zero"
        """, [:])
    }
    #expect(error.mistakes.count == 2)
    #expect(error.mistakes[0].hasPrefix("postgres.url: is no URL that libpq understands"))
    #expect(error.mistakes[1].hasPrefix("redis.url: must be redis://"))
    #expect(!error.description.contains("app:word"))
  }

  @Test("a cluster that Sentinels watch is a mistake")
  func clusterOfSentinels() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try load(
        """
        [redis]
        url = "sentinel://a/main"
        cluster = true
        """, [:])
    }
    #expect(error.mistakes == ["redis.cluster: a cluster has no Sentinels; redis.url names one"])
  }

  @Test func allMistakesAreReportedTogether() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try load(
        """
        colour = "blue"
        [server]
        port = 70000
        prot = 8000
        host = ""
        [limits]
        idle_seconds_max = "60"
        [log]
        level = "loud"
        [redis]
        url = "http://word@redis"
        timeout_seconds = 1.5
        [proxies]
        trusted = ["10.0.0.0/8", "10.0.0.1/8"]
        protocol = "yes"
        [tls]
        redirect = true
        port = [443]
        """,
        ["SPLITSTREAM_ANALYSIS_TICK_SECONDS": "+5", "SPLITSTREAM_SERVER_PROT": "1"])
    }
    #expect(
      error.mistakes.sorted() == [
        "SPLITSTREAM_SERVER_PROT: no key of the configuration has this variable",
        "[colour]: there is no such section; known are server, tls, proxies, limits, postgres, redis, security, events, "
          + "analysis, assignments, log",
        "analysis.tick_seconds (from SPLITSTREAM_ANALYSIS_TICK_SECONDS): must be a whole number from 1 to 3600 s",
        "limits.idle_seconds_max: must be a whole number from 1 to 3600 s",
        "log.level: must be one of trace, debug, info, notice, warning, error, critical",
        "proxies.protocol: must be true or false",
        "proxies.trusted: \"10.0.0.1/8\" is no network such as 10.0.0.0/8",
        "redis.timeout_seconds: must be a whole number from 1 to 600 s, not a floating-point number",
        "redis.url: must be a URL that begins with redis:// or sentinel:// or unix://",
        "server.host: must be a text",
        "server.port: 70000 is out of bounds, must be 0 to 65535",
        "server.prot: there is no such key; [server] knows \(Self.serverKeys)",
        "tls.port: must be a whole number from 0 to 65535",
        "tls.redirect: there is no tls.port to redirect to",
      ])
    #expect(error.description.contains("splitstream.toml has 14 mistakes:\n  - "))
    #expect(!error.description.contains("word"))
  }

  @Test("bounds are crossed by one", arguments: ConfigurationKey.all)
  func bounds(key: ConfigurationKey) throws {
    guard case .integer(let range, _, let path) = key.kind else { return }
    for (value, isGood) in [
      (range.lowerBound, true), (range.upperBound, true),
      (range.lowerBound - 1, false), (range.upperBound + 1, false),
    ] {
      var environment = try certificateVariables()
      environment[key.variable] = "\(value)"
      let loaded = try? Configuration.load(file: nil, environment: environment)
      #expect(
        loaded.map { $0[keyPath: path] } == (isGood ? value : nil), "\(key.fullName) = \(value)")
    }
  }

  @Test func aSyntaxErrorNamesItsLine() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try load("[server]\nport = 8000\nhost = oops\n")
    }
    #expect(error.mistakes.count == 1 && error.mistakes[0].hasPrefix("line 3: "))
  }

  @Test func aKeyWrittenTwiceIsASyntaxError() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try load("[server]\nport = 1\nport = 2\n")
    }
    #expect(error.mistakes[0].hasPrefix("line 3: "))
  }

  @Test func aMissingFileIsAMistake() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try Configuration.load(file: "/nonexistent/splitstream.toml", environment: [:])
    }
    #expect(
      error.mistakes == ["cannot read /nonexistent/splitstream.toml: No such file or directory"])
  }

  @Test func whatTheCommandNeedsMustBeThere() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try Configuration.load(file: nil, environment: [:], needs: [.postgres, .redis, .pepper])
    }
    #expect(
      error.mistakes == [
        "postgres.url: must be given", "redis.url: must be given",
        "security.pepper: must be given, or security.pepper_file",
      ])
  }

  @Test func aCertificateThatCannotBeShownStopsTheStart() throws {
    let good = try certificateVariables()
    let files = [
      good["SPLITSTREAM_TLS_CERTIFICATE_FILE"] ?? "", good["SPLITSTREAM_TLS_KEY_FILE"] ?? "",
    ]
    func mistakes(_ toml: String) throws -> [String] {
      try #require(throws: ConfigurationError.self) { try load("[tls]\n" + toml) }.mistakes
    }
    #expect(
      try mistakes("port = 8443")
        == ["tls.certificate_file: must be given", "tls.key_file: must be given"])
    #expect(try mistakes("key_file = \"\(files[1])\"") == ["tls.certificate_file: must be given"])
    let missing = try mistakes("certificate_file = \"/no\"\nkey_file = \"\(files[1])\"")
    #expect(
      missing == [
        "tls.certificate_file: cannot read the certificate in /no: No such file or directory"
      ])
    let other = try SelfSignedCertificate.make(commonName: "other", names: "DNS:a", days: 1)
    let key = try folder.write(other.key, to: "other.key")
    let mismatch = try mistakes("certificate_file = \"\(files[0])\"\nkey_file = \"\(key)\"")
    #expect(
      mismatch == [
        "tls.key_file: cannot use \(key): it is not the private key of the certificate in \(files[0])"
      ])
  }

  @Test func proxyHeadersNeedSomebodyToBelieve() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try load("[proxies]\nprotocol = true")
    }
    #expect(
      error.mistakes == [
        "proxies.protocol: proxies.trusted must say whose PROXY headers are believed"
      ])
  }

  @Test func weakPeppersStopTheStart() throws {
    let weak = try #require(throws: ConfigurationError.self) {
      try load("[security]\npepper = \"short\"")
    }
    #expect(weak.mistakes == ["security.pepper: has 5 bytes, must have at least 32 random ones"])
    let file = try folder.write("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", to: "pepper")
    let uniform = try #require(throws: ConfigurationError.self) {
      try load("", ["SPLITSTREAM_SECURITY_PEPPER_FILE": file])
    }
    #expect(uniform.mistakes.count == 1 && !uniform.description.contains("aaa"))
    let both = try #require(throws: ConfigurationError.self) {
      try load("[security]\npepper = \"\(Self.pepper)\"\npepper_file = \"/etc/pepper\"")
    }
    #expect(
      both.mistakes == ["security.pepper and security.pepper_file: give one of them, not both"])
  }

  @Test func clientsOwnVariablesAreLeftAlone() throws {
    _ = try load("", ["SPLITSTREAM_SERVER_KEY": "ss_srv_dev_x", "SPLITSTREAM_URL": "http://x"])
  }

  @Test func theTableIsMarkdown() {
    let lines = ConfigurationKey.markdownTable().split(separator: "\n")
    #expect(lines.count == ConfigurationKey.all.count + 2)
    #expect(
      lines.allSatisfy { $0.split(separator: "|", omittingEmptySubsequences: false).count == 6 })
    #expect(
      lines.contains(
        "| `server.port` | `8000` | 0–65535 | Port the server listens on; 0 takes a free one. |"))
  }

  @Test func environmentRecordsAreRead() throws {
    let record = Array("A=1\0B=x=y\0A=2\0noSign\0C=\0".utf8)
    #expect(ProcessEnvironment.parse(record) == ["A": "1", "B": "x=y", "C": ""])
    #expect(try ProcessEnvironment.variables()["PATH"] != nil)
  }

  private func certificateVariables() throws -> [String: String] {
    let made = try SelfSignedCertificate.make(commonName: "a", names: "DNS:a", days: 1)
    return [
      "SPLITSTREAM_TLS_CERTIFICATE_FILE": try folder.write(made.certificate, to: "tls.crt"),
      "SPLITSTREAM_TLS_KEY_FILE": try folder.write(made.key, to: "tls.key"),
    ]
  }

  private static let pepper = "Q7d0hT3yVbN1sLw9ZkX5cGmR2fJpEoUaI8KxYtHv"

  private func load(_ toml: String, _ environment: [String: String] = [:]) throws -> Configuration {
    try Configuration.load(
      file: folder.write(toml, to: "splitstream.toml"), environment: environment)
  }
}
