/// Who may know whom among the folders of Sources/SplitstreamServer.
///
/// Swift has no walls inside a module; this table is one, and `LayeringTests` keeps it.
struct Layers {
  /// Folders whose types a folder may name, besides its own. App may name all, and nobody names
  /// App.
  static let mayName: [String: Set<String>] = [
    "EventLoop": [], "HTTP": [], "JSON": [], "Security": [], "Observability": [],
    "Postgres": ["EventLoop"],
    "Redis": ["EventLoop"],
    "Domain": ["JSON", "Security"],
    "Analysis": ["Domain"],
    "Transport": ["EventLoop", "HTTP", "Observability"],
    "Storage": ["EventLoop", "Domain", "Analysis", "JSON", "Postgres", "Redis", "Security"],
    "Jobs": ["Domain", "Analysis", "Storage", "Postgres", "Redis", "Observability"],
    "API": ["Domain", "Analysis", "HTTP", "JSON", "Storage", "Security", "Observability"],
    "Commands": ["HTTP", "JSON", "Domain", "Analysis", "Storage", "Observability"],
  ]

  /// Modules that every folder may import.
  static let common: Set = ["Glibc", "Dispatch", "Synchronization", "Logging"]

  /// Folders that may import another module; one that is not here may be imported by none,
  /// Foundation above all.
  static let mayImport: [String: Set<String>] = [
    "ArgumentParser": ["App", "Commands"],
    "TOMLKit": ["App"],
    "CEpoll": ["EventLoop", "Transport"],
    "COpenSSL": ["Transport"],
    "CPostgres": ["Postgres"],
    "CHiredis": ["Redis"],
    "CSodium": ["Security"],
    "CZlib": ["Commands"],
  ]

  /// SQL as statements begin; English sentences do not, being in mixed case.
  private static var sql: Regex<Substring> {
    #/
    ^\s* (?:--[^\n]*\n\s*)*
    (?: SELECT\s | INSERT\s+INTO\b | UPDATE\s+\S+\s+SET\b | DELETE\s+FROM\b | COPY\s
      | WITH\s+\w+ | (?:CREATE|ALTER|DROP|GRANT|TRUNCATE|LISTEN|NOTIFY|LOCK)\s+\S
      | (?:BEGIN|COMMIT|ROLLBACK)\b )
    /#
  }
  static let maySpeakSQL: Set = ["Storage", "Postgres"]

  let sources: [(folder: String, source: SwiftSource)]

  init(_ sources: [SwiftSource]) {
    self.sources = sources.map { (Self.folder(of: $0.path), $0) }
  }

  /// Every breach, as a sentence: "Domain/Experiment.swift names PostgresError of Postgres".
  var breaches: [String] {
    var homes: [String: String] = [:]
    var ownNames: [String: Set<String>] = [:]
    for (folder, source) in sources {
      for name in source.topLevelTypes { homes[name] = folder }
      ownNames[folder, default: []].formUnion(source.declaredNames)
    }
    return sources.flatMap { folder, source in
      names(source, in: folder, homes: homes, own: ownNames[folder] ?? [])
        + imports(source, in: folder) + queries(source, in: folder)
    }.sorted()
  }

  private func names(
    _ source: SwiftSource, in folder: String, homes: [String: String], own: Set<String>
  ) -> [String] {
    guard folder != "App" else { return [] }
    guard let allowed = Self.mayName[folder] else {
      return ["\(source.path) is in a folder without a rule"]
    }
    return source.namesUsed.subtracting(own).compactMap { name in
      guard let home = homes[name], home != folder, !allowed.contains(home) else { return nil }
      return "\(Self.short(source.path)) names \(name) of \(home)"
    }
  }

  private func imports(_ source: SwiftSource, in folder: String) -> [String] {
    source.imports.filter { module in
      !Self.common.contains(module) && Self.mayImport[module]?.contains(folder) != true
    }.map { "\(Self.short(source.path)) imports \($0)" }
  }

  private func queries(_ source: SwiftSource, in folder: String) -> [String] {
    guard !Self.maySpeakSQL.contains(folder) else { return [] }
    return source.strings.filter { $0.firstMatch(of: Self.sql) != nil }.map { text in
      let start = text.split(separator: "\n").first.map { $0.prefix(40) } ?? ""
      return "\(Self.short(source.path)) speaks SQL: \(start)"
    }
  }

  private static func short(_ path: String) -> String {
    String(path.trimmingPrefix("Sources/SplitstreamServer/"))
  }

  /// A file outside every folder, such as the entry point, belongs to App.
  private static func folder(of path: String) -> String {
    let parts = short(path).split(separator: "/")
    return parts.count > 1 ? String(parts[0]) : "App"
  }
}
