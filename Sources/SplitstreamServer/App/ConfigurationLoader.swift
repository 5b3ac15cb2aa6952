import TOMLKit

extension Configuration {
  /// What a command cannot do without; `dev` brings its own and needs nothing.
  enum Need: Sendable {
    case postgres, redis, pepper
  }

  /// Reads the file, then the environment, and reports every mistake of both together.
  ///
  /// - Parameters:
  ///   - file: path of a TOML file; nil for defaults and environment only.
  ///   - environment: every variable of the process.
  ///   - needs: what must be named, because the command at hand uses it.
  static func load(
    file: String?, environment: [String: String], needs: Set<Need> = []
  ) throws(ConfigurationError) -> Configuration {
    var loader = ConfigurationLoader()
    if let file { loader.read(file: file) }
    loader.read(environment: environment)
    loader.settlePepper()
    loader.checkURLs()
    loader.check(needs)
    loader.checkTLS()
    guard loader.mistakes.isEmpty else {
      throw ConfigurationError(file: file, mistakes: loader.mistakes)
    }
    return loader.configuration
  }
}

/// Everything that is wrong with a configuration, to be mended in one go.
struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  let file: String?
  /// In the order found: each names its key, and where the value came from when that is not the
  /// file.
  let mistakes: [String]

  var description: String {
    let count = mistakes.count == 1 ? "1 mistake" : "\(mistakes.count) mistakes"
    let title = "The configuration \(file.map { "in \($0) " } ?? "")has \(count):"
    return ([title] + mistakes.map { "  - \($0)" }).joined(separator: "\n")
  }
}

/// Collects values and mistakes; values written later win.
private struct ConfigurationLoader {
  var configuration = Configuration()
  var mistakes: [String] = []
  private var pepperText: (text: String, origin: String)?
  private var pepperFile: (path: String, origin: String)?

  mutating func read(file: String) {
    let document: TOMLTable
    do {
      document = try TOMLTable(string: Files.read(file))
    } catch let error as TOMLParseError {
      mistakes.append("line \(error.source.begin.line): \(error.description)")
      return
    } catch {
      mistakes.append("\(error)")
      return
    }
    for section in document.keys {
      let names = ConfigurationKey.all.filter { $0.section == section }.map(\.name)
      guard !names.isEmpty else {
        mistakes.append("[\(section)]: there is no such section; known are \(Self.sections)")
        continue
      }
      guard let table = document[section]?.table else {
        mistakes.append("\(section): must be a section, written [\(section)]")
        continue
      }
      for name in table.keys {
        guard let value = table[name] else { continue }
        guard
          let key = ConfigurationKey.all.first(where: { $0.section == section && $0.name == name })
        else {
          let known = names.joined(separator: ", ")
          mistakes.append("\(section).\(name): there is no such key; [\(section)] knows \(known)")
          continue
        }
        switch value.type {
        case .int: set(key, integer: value.int, text: nil, origin: key.fullName)
        case .string: set(key, integer: nil, text: value.string, origin: key.fullName)
        case .bool: set(key, flag: value.bool, origin: key.fullName)
        case .array: set(key, list: Self.texts(value.array), origin: key.fullName)
        default: mistakes.append("\(key.fullName): must be \(key.expected), not a \(value.type)")
        }
      }
    }
  }

  mutating func read(environment: [String: String]) {
    for (variable, value) in environment.sorted(by: { $0.key < $1.key }) {
      guard !Self.clientVariables.contains(variable) else { continue }
      if let key = ConfigurationKey.all.first(where: { $0.variable == variable }) {
        // Empty is unset: compose files pass variables on that way.
        guard !value.isEmpty else { continue }
        let origin = "\(key.fullName) (from \(variable))"
        // What the file spells as a flag or a list is text here: true, or items between commas.
        switch key.kind {
        case .flag: set(key, flag: Bool(value), origin: origin)
        case .networks:
          set(key, list: value.split(separator: ",").map(Self.trimmed), origin: origin)
        default: set(key, integer: Self.integer(value), text: value, origin: origin)
        }
      } else if Self.prefixes.contains(where: variable.hasPrefix) {
        mistakes.append("\(variable): no key of the configuration has this variable")
      }
    }
  }

  private mutating func set(_ key: ConfigurationKey, integer: Int?, text: String?, origin: String) {
    switch (key.kind, integer, text) {
    case (.integer(let range, let unit, let path), let number?, _):
      guard range.contains(number) else {
        let bounds = "\(range.lowerBound) to \(range.upperBound) \(unit)".trimmedEnd
        mistakes.append("\(origin): \(number) is out of bounds, must be \(bounds)")
        return
      }
      configuration[keyPath: path] = number
    case (.text(let path), _, let text?) where !text.isEmpty,
      (.path(let path), _, let text?) where !text.isEmpty:
      configuration[keyPath: path] = text
    case (.choice(let choices, let path), _, let text?) where choices.contains(text):
      configuration[keyPath: path] = text
    case (.url(let schemes, let path), _, let text?) where schemes.contains(where: text.hasPrefix):
      configuration[keyPath: path] = text
    case (.pepper, _, let text?): pepperText = (text, origin)
    case (.pepperFile, _, let text?) where !text.isEmpty: pepperFile = (text, origin)
    default:
      // The value is not repeated: it may hold a password.
      mistakes.append("\(origin): must be \(key.expected)")
    }
  }

  private mutating func set(_ key: ConfigurationKey, flag: Bool?, origin: String) {
    guard case .flag(let path) = key.kind, let flag else {
      mistakes.append("\(origin): must be \(key.expected)")
      return
    }
    configuration[keyPath: path] = flag
  }

  private mutating func set(_ key: ConfigurationKey, list: [String]?, origin: String) {
    guard case .networks(let path) = key.kind, let list else {
      mistakes.append("\(origin): must be \(key.expected)")
      return
    }
    var networks: [IPNetwork] = []
    for text in list {
      guard let network = IPNetwork(parsing: text) else {
        mistakes.append("\(origin): \"\(text)\" is no network such as 10.0.0.0/8")
        return
      }
      networks.append(network)
    }
    configuration[keyPath: path] = networks
  }

  /// Nil when there is something else than texts among the items.
  private static func texts(_ array: TOMLArray?) -> [String]? {
    guard let array else { return nil }
    let texts = array.compactMap(\.string)
    return texts.count == array.count ? texts : nil
  }

  private static func trimmed(_ text: Substring) -> String {
    let blanks: Set<Character> = [" ", "\t"]
    return String(String(text.drop(while: blanks.contains)).trimmedEnd)
  }

  mutating func settlePepper() {
    if let pepperText, let pepperFile {
      mistakes.append("\(pepperText.origin) and \(pepperFile.origin): give one of them, not both")
      return
    }
    guard let origin = pepperText?.origin ?? pepperFile?.origin else { return }
    do {
      let text = try pepperText?.text ?? pepperFile.map { try Files.read($0.path).trimmedEnd }
      configuration.security.pepper = try text.map { try Pepper($0) }
    } catch {
      // A `FileError` or a `PepperError`; neither repeats the pepper.
      mistakes.append("\(origin): \(error)")
    }
  }

  /// The stores' own readers say whether a URL can be used; it is not repeated, for its password.
  mutating func checkURLs() {
    let urls = configuration
    if !urls.postgres.url.isEmpty, (try? PostgresAddress(parsing: urls.postgres.url)) == nil {
      mistakes.append("postgres.url: is no URL that libpq understands")
    }
    if !urls.redis.url.isEmpty {
      do {
        let address = try RedisAddress(parsing: urls.redis.url)
        if address.sentinels != nil, urls.redis.cluster {
          mistakes.append("redis.cluster: a cluster has no Sentinels; redis.url names one")
        }
      } catch {
        mistakes.append(
          "redis.url: must be redis://[[user]:password@]host[:port][/database], "
            + "sentinel://[[user]:password@]host[:port][,host[:port]…]/name[/database] or "
            + "unix://[[user]:password@]/path[?db=database]")
      }
    }
  }

  mutating func check(_ needs: Set<Configuration.Need>) {
    if needs.contains(.postgres), configuration.postgres.url.isEmpty {
      mistakes.append("postgres.url: must be given")
    }
    if needs.contains(.redis), configuration.redis.url.isEmpty {
      mistakes.append("redis.url: must be given")
    }
    if needs.contains(.pepper), pepperText == nil, pepperFile == nil {
      mistakes.append("security.pepper: must be given, or security.pepper_file")
    }
  }

  /// A server that cannot show its certificate must not start.
  mutating func checkTLS() {
    let tls = configuration.tls
    let files = [("certificate_file", tls.certificateFile), ("key_file", tls.keyFile)]
    let missing = files.filter { $0.1.isEmpty }
    if tls.port != 0 || missing.count == 1 {
      for (name, _) in missing { mistakes.append("tls.\(name): must be given") }
    }
    if tls.redirect && tls.port == 0 {
      mistakes.append("tls.redirect: there is no tls.port to redirect to")
    }
    if configuration.proxies.protocol && configuration.proxies.trusted.isEmpty {
      mistakes.append("proxies.protocol: proxies.trusted must say whose PROXY headers are believed")
    }
    guard missing.isEmpty else { return }
    do throws(TLSError) {
      _ = try TLSIdentity(certificateFile: tls.certificateFile, keyFile: tls.keyFile)
    } catch {
      let key = error.blames == .key ? "key_file" : "certificate_file"
      mistakes.append("tls.\(key): \(error)")
    }
  }

  /// Decimal digits with an optional minus, nothing else: `Int("+5")` would be 5.
  private static func integer(_ text: String) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") } ? Int(text) : nil
  }

  private static let sections = ConfigurationKey.all.map(\.section)
    .reduce(into: [String]()) { if $0.last != $1 { $0.append($1) } }
    .joined(separator: ", ")

  private static let prefixes = Set(ConfigurationKey.all.map(\.section))
    .map { "SPLITSTREAM_\($0.uppercased())_" }

  /// Variables of `dev.env` that speak to clients and only look like ours.
  private static let clientVariables: Set<String> = ["SPLITSTREAM_SERVER_KEY"]
}

extension ConfigurationKey {
  /// Completes "must be …".
  fileprivate var expected: String {
    switch kind {
    case .integer(let range, let unit, _):
      "a whole number from \(range.lowerBound) to \(range.upperBound) \(unit)".trimmedEnd
    case .text, .pepper: "a text"
    case .choice(let choices, _): "one of " + choices.joined(separator: ", ")
    case .url(let schemes, _): "a URL that begins with " + schemes.joined(separator: " or ")
    case .flag: "true or false"
    case .networks: "a list of networks such as \"10.0.0.0/8\""
    case .path, .pepperFile: "the path of a file"
    }
  }
}

extension String {
  /// Without the blanks and newlines at the end, in ASCII.
  fileprivate var trimmedEnd: String {
    let kept = utf8.reversed().drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
    return String(decoding: kept.reversed(), as: UTF8.self)
  }
}
