/// How the server is set up: the defaults below, overridden by the file, overridden by the
/// environment.
///
/// `ConfigurationKey.all` is the map of the keys: their bounds and what each one means.
struct Configuration: Sendable {
  var server = Server()
  var tls = TLS()
  var proxies = Proxies()
  var limits = Limits()
  var postgres = Postgres()
  var redis = Redis()
  var security = Security()
  var events = Events()
  var analysis = Analysis()
  var assignments = Assignments()
  var log = Log()

  struct Server: Sendable {
    var host = "127.0.0.1"
    var port = 8000
    var loops = 0
    var unreadySeconds = 0
    var shutdownSeconds = 10
    var idleGraceSeconds = 1
    var handoverSocket = ""
    var connectionsMax = 20_000
    var connectionsPerAddressMax = 2_000
  }

  struct TLS: Sendable {
    var certificateFile = ""
    var keyFile = ""
    var port = 0
    var redirect = false
  }

  struct Proxies: Sendable {
    var trusted: [IPNetwork] = []
    var `protocol` = false
  }

  struct Limits: Sendable {
    var requestLineBytesMax = 16_384
    var headBytesMax = 32_768
    var headerCountMax = 100
    var bodyBytesMax = 1_048_576
    var batchBodyBytesMax = 9_437_184
    var bodyBytesInFlightMax = 268_435_456
    var jsonDepthMax = 64
    var requestsPerConnectionMax = 100_000
    var replyBytesMax = 262_144
    var handshakeSecondsMax = 10
    var headSecondsMax = 10
    var bodySecondsMax = 30
    var idleSecondsMax = 60
    var writeSecondsMax = 30
    var bytesPerSecondMin = 1_000
  }

  struct Postgres: Sendable {
    var url = ""
    var connectionsPerLoop = 2
    var timeoutSeconds = 5
  }

  struct Redis: Sendable {
    var url = ""
    var cluster = false
    var waitReplicas = 0
    var timeoutSeconds = 2
  }

  struct Security: Sendable {
    /// Nil when neither `pepper` nor `pepper_file` is given.
    var pepper: Pepper?
  }

  struct Events: Sendable {
    var backlogMax = 100_000
    var drainIntervalMilliseconds = 1_000
    var chunkLeaseSeconds = 60
    var retentionDays = 0
  }

  struct Analysis: Sendable {
    var tickSeconds = 5
    var parallelMax = 2
    var bringForwardEvents = 10_000
    var onDemandWaitSeconds = 30
  }

  struct Assignments: Sendable {
    var cacheBytesMax = 268_435_456
    var staleSecondsMax = 600
  }

  struct Log: Sendable {
    var level = "info"
  }
}
