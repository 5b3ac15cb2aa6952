/// One key of the configuration. `all` is the table that the loader, the README and `check-config`
/// read.
struct ConfigurationKey: Sendable {
  let section: String
  let name: String
  let kind: Kind
  /// One sentence, for the README.
  let summary: String

  /// What a key holds, its bounds, and where the value goes.
  enum Kind: Sendable {
    case integer(ClosedRange<Int>, unit: String, WritableKeyPath<Configuration, Int> & Sendable)
    case text(WritableKeyPath<Configuration, String> & Sendable)
    case choice([String], WritableKeyPath<Configuration, String> & Sendable)
    case flag(WritableKeyPath<Configuration, Bool> & Sendable)
    /// The path of a file; not given by default.
    case path(WritableKeyPath<Configuration, String> & Sendable)
    case networks(WritableKeyPath<Configuration, [IPNetwork]> & Sendable)
    case url(schemes: [String], WritableKeyPath<Configuration, String> & Sendable)
    /// A pepper, or the path of a file that holds one; never shown.
    case pepper, pepperFile
  }

  static let all: [ConfigurationKey] = [
    key("server", "host", .text(\.server.host), "Address the server listens on."),
    key(
      "server", "port", .integer(0...65_535, unit: "", \.server.port),
      "Port the server listens on; 0 takes a free one."),
    key(
      "server", "loops", .integer(0...1_024, unit: "", \.server.loops),
      "Event loops, one thread each; 0 is one per core."),
    key(
      "server", "unready_seconds", .integer(0...600, unit: "s", \.server.unreadySeconds),
      "How long a stop only answers 503 at `/v1/readyz`, so that load balancers turn away first."),
    key(
      "server", "shutdown_seconds", .integer(0...600, unit: "s", \.server.shutdownSeconds),
      "How long a stop then waits for requests that are being answered."),
    key(
      "server", "idle_grace_seconds", .integer(0...600, unit: "s", \.server.idleGraceSeconds),
      "How long a stop keeps a connection open whose next request may be on its way."),
    key(
      "server", "handover_socket", .path(\.server.handoverSocket),
      "Path of a unix socket through which a successor takes the listening sockets over."),
    key(
      "server", "connections_max", .integer(1...1_000_000, unit: "", \.server.connectionsMax),
      "Open client connections, of both ports together; more wait in the kernel's queue."),
    key(
      "server", "connections_per_address_max",
      .integer(1...1_000_000, unit: "", \.server.connectionsPerAddressMax),
      "Of one IPv4 address or IPv6 /64; one more gets 503, over HTTPS no answer, and ends. A proxy's clients share its own."
    ),

    key(
      "tls", "certificate_file", .path(\.tls.certificateFile),
      "PEM file: the certificate, then those that lead to its root; read again on SIGHUP."),
    key(
      "tls", "key_file", .path(\.tls.keyFile),
      "PEM file of the certificate's private key, not encrypted; read again on SIGHUP."),
    key(
      "tls", "port", .integer(0...65_535, unit: "", \.tls.port),
      "Port for HTTPS beside `server.port`; 0 is none."),
    key(
      "tls", "redirect", .flag(\.tls.redirect),
      "Whether `server.port` only answers 308 to HTTPS, but for `healthz` and `readyz`."),

    key(
      "proxies", "trusted", .networks(\.proxies.trusted),
      "Networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."),
    key(
      "proxies", "protocol", .flag(\.proxies.protocol),
      "Whether each connection from a trusted network begins with a PROXY header, version 1 or 2."),

    key(
      "limits", "request_line_bytes_max",
      .integer(8_000...1_048_576, unit: "bytes", \.limits.requestLineBytesMax),
      "Longest request line; a longer one is answered 414."),
    key(
      "limits", "head_bytes_max",
      .integer(8_192...1_048_576, unit: "bytes", \.limits.headBytesMax),
      "Largest head of a request, trailers and chunk extensions included; a larger one is answered 431."
    ),
    key(
      "limits", "header_count_max", .integer(16...1_000, unit: "", \.limits.headerCountMax),
      "Most header fields of a request; more are answered 431."),
    key(
      "limits", "body_bytes_max",
      .integer(65_536...1_073_741_824, unit: "bytes", \.limits.bodyBytesMax),
      "Largest body of a request; a larger one is answered 413."),
    key(
      "limits", "batch_body_bytes_max",
      .integer(65_536...1_073_741_824, unit: "bytes", \.limits.batchBodyBytesMax),
      "Largest body of a batch of events or exposures."),
    key(
      "limits", "body_bytes_in_flight_max",
      .integer(1_048_576...1_099_511_627_776, unit: "bytes", \.limits.bodyBytesInFlightMax),
      "Bodies being received or answered, of all connections; a request beyond it is answered 503."
    ),
    key(
      "limits", "json_depth_max", .integer(32...512, unit: "", \.limits.jsonDepthMax),
      "Arrays and objects within each other in a body; more are answered 400."),
    key(
      "limits", "requests_per_connection_max",
      .integer(1...1_000_000_000, unit: "", \.limits.requestsPerConnectionMax),
      "After so many answers a connection is closed."),
    key(
      "limits", "reply_bytes_max",
      .integer(1_024...1_073_741_824, unit: "bytes", \.limits.replyBytesMax),
      "Answers a client has not taken yet; beyond it, its next request is not read."),
    key(
      "limits", "handshake_seconds_max",
      .integer(1...3_600, unit: "s", \.limits.handshakeSecondsMax),
      "Time from a new connection to the end of its TLS handshake; then it is closed."),
    key(
      "limits", "head_seconds_max", .integer(1...3_600, unit: "s", \.limits.headSecondsMax),
      "Time from the first byte of a request to the end of its head; then 408."),
    key(
      "limits", "body_seconds_max", .integer(1...3_600, unit: "s", \.limits.bodySecondsMax),
      "Time for the body, unless it keeps to `limits.bytes_per_second_min`; then 408."),
    key(
      "limits", "idle_seconds_max", .integer(1...3_600, unit: "s", \.limits.idleSecondsMax),
      "How long a connection without a request stays open."),
    key(
      "limits", "write_seconds_max", .integer(1...3_600, unit: "s", \.limits.writeSecondsMax),
      "Time for a client to take an answer, unless it keeps to `limits.bytes_per_second_min`."),
    key(
      "limits", "bytes_per_second_min",
      .integer(1...1_000_000_000, unit: "bytes/s", \.limits.bytesPerSecondMin),
      "Slowest pace that excuses a body or an answer that takes longer than its time."),

    key(
      "postgres", "url", .url(schemes: ["postgresql://", "postgres://"], \.postgres.url),
      "PostgreSQL to use; `dev` starts its own and needs none."),
    key(
      "postgres", "connections_per_loop",
      .integer(1...64, unit: "", \.postgres.connectionsPerLoop),
      "Pipelined connections of each event loop."),
    key(
      "postgres", "timeout_seconds", .integer(1...600, unit: "s", \.postgres.timeoutSeconds),
      "How long a request waits for PostgreSQL; then 503."),

    key(
      "redis", "url", .url(schemes: ["redis://", "sentinel://", "unix://"], \.redis.url),
      "Redis to use; `dev` starts its own and needs none."),
    key(
      "redis", "cluster", .flag(\.redis.cluster),
      "Whether it is a Redis Cluster; `redis.url` then names any of its nodes."),
    key(
      "redis", "wait_replicas", .integer(0...100, unit: "", \.redis.waitReplicas),
      "Replicas that must have an event before it is answered 202; else 503."),
    key(
      "redis", "timeout_seconds", .integer(1...600, unit: "s", \.redis.timeoutSeconds),
      "How long a request waits for Redis; then 503."),

    key(
      "security", "pepper", .pepper,
      "Secret under which API keys are hashed, at least 32 random bytes; `dev` makes its own."),
    key(
      "security", "pepper_file", .pepperFile,
      "File that holds the pepper; instead of `security.pepper`."),

    key(
      "events", "backlog_max", .integer(1...10_000_000, unit: "", \.events.backlogMax),
      "Events accepted but not yet in PostgreSQL; at this number new ones are answered 429."),
    key(
      "events", "drain_interval_milliseconds",
      .integer(10...60_000, unit: "ms", \.events.drainIntervalMilliseconds),
      "How often accepted events are brought to PostgreSQL."),
    key(
      "events", "chunk_lease_seconds",
      .integer(5...3_600, unit: "s", \.events.chunkLeaseSeconds),
      "After this time another process takes over a chunk of events that was not finished."),
    key(
      "events", "retention_days", .integer(0...36_500, unit: "days", \.events.retentionDays),
      "Months of events that ended so long ago are dropped once no experiment needs them; 0 is never."
    ),

    key(
      "analysis", "tick_seconds", .integer(1...3_600, unit: "s", \.analysis.tickSeconds),
      "How often due snapshots are looked for."),
    key(
      "analysis", "parallel_max", .integer(1...32, unit: "", \.analysis.parallelMax),
      "How many experiments are computed at the same time, each on a connection of its own."),
    key(
      "analysis", "bring_forward_events",
      .integer(0...1_000_000_000, unit: "events", \.analysis.bringForwardEvents),
      "After so many new events an experiment's sums are continued between snapshots; 0 is never."),
    key(
      "analysis", "on_demand_wait_seconds",
      .integer(1...600, unit: "s", \.analysis.onDemandWaitSeconds),
      "How long a snapshot on demand waits for events on their way; then 503."),

    key(
      "assignments", "cache_bytes_max",
      .integer(1_048_576...1_099_511_627_776, unit: "bytes", \.assignments.cacheBytesMax),
      "Memory for the cache of assignments, of the whole process."),
    key(
      "assignments", "stale_seconds_max",
      .integer(0...86_400, unit: "s", \.assignments.staleSecondsMax),
      "How long known units are still answered while PostgreSQL is away; then 503."),

    key(
      "log", "level",
      .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"], \.log.level),
      "Least severe level that is logged."),
  ]

  /// As mistakes and the README name it: `server.port`.
  var fullName: String { "\(section).\(name)" }

  /// The environment variable that overrides the file: `SPLITSTREAM_SERVER_PORT`.
  var variable: String { "SPLITSTREAM_\(section)_\(name)".uppercased() }

  private static func key(_ section: String, _ name: String, _ kind: Kind, _ summary: String)
    -> ConfigurationKey
  {
    ConfigurationKey(section: section, name: name, kind: kind, summary: summary)
  }
}

extension ConfigurationKey {
  /// The README's table, one row per key.
  static func markdownTable() -> String {
    let rows = all.map { key in
      "| `\(key.fullName)` | \(key.defaultText) | \(key.boundsText) | \(key.summary) |\n"
    }
    return "| Key | Default | Values | Meaning |\n| --- | --- | --- | --- |\n" + rows.joined()
  }

  private var defaultText: String {
    let defaults = Configuration()
    switch kind {
    case .integer(_, _, let path): return "`\(defaults[keyPath: path])`"
    case .flag(let path): return "`\(defaults[keyPath: path])`"
    case .networks: return "`[]`"
    case .text(let path), .choice(_, let path), .url(_, let path), .path(let path):
      let text = defaults[keyPath: path]
      return text.isEmpty ? "" : "`\"\(text)\"`"
    case .pepper, .pepperFile: return ""
    }
  }

  private var boundsText: String {
    switch kind {
    case .integer(let range, let unit, _):
      "\(range.lowerBound)–\(range.upperBound)" + (unit.isEmpty ? "" : " \(unit)")
    case .text: "text"
    case .choice(let choices, _): choices.joined(separator: ", ")
    case .url(let schemes, _): schemes.map { "`\($0)…`" }.joined(separator: ", ")
    case .flag: "true, false"
    case .networks: "list of texts such as `\"10.0.0.0/8\"`"
    case .pepper: "secret text"
    case .path, .pepperFile: "path"
    }
  }
}
