/// What a server spends at most on its clients.
struct TransportLimits: Sendable {
  var request = RequestLimits()
  /// Open client connections over all loops and ports. Beyond it new ones wait in the kernel's
  /// queue.
  var connectionsMax = 20_000
  /// Open connections of one address (with IPv6: of one /64), over all loops. One more is refused.
  var connectionsPerAddressMax = 2_000
  /// Requests of one connection; the answer to the last ends it.
  var requestsPerConnectionMax = 100_000
  /// Bytes of bodies that are being received or answered, over all loops. Beyond it a request that
  /// brings more is refused with 503.
  var bodyBytesInFlightMax = 256 << 20
  /// Connections taken in one turn of the loop, so that a flood of them does not hold up the
  /// others.
  var acceptsPerTurnMax = 64
  /// Answers not yet taken by a client. Beyond it no further request of its connection is read.
  var outputBytesMax = 256 * 1024

  /// From the accepted connection to the end of its TLS handshake, a PROXY header included.
  var handshakeSecondsMax = 10.0
  /// From the first byte of a request to the end of its head.
  var headSecondsMax = 10.0
  /// For a body; a longer one may take as long as it keeps to `bytesPerSecondMin`.
  var bodySecondsMax = 30.0
  /// For what is written to be taken; more may take as long as it keeps to `bytesPerSecondMin`.
  var writeSecondsMax = 30.0
  var bytesPerSecondMin = 1_000.0
  /// Between two requests.
  var idleSecondsMax = 60.0
  /// The same while no further connection can be accepted.
  var idleSecondsMaxWhenFull = 5.0
  /// The same while the server stops: a request may be on its way, and is answered.
  var idleSecondsMaxWhenStopping = 1.0
  /// After the last answer of a connection: how long the client may stay silent, and how long it
  /// may go on sending.
  var lingerSilenceSecondsMax = 2.0
  var lingerSecondsMax = 30.0
  /// How often connections are compared with these times.
  var sweepSeconds = 1.0
  /// How long accepting rests when the process or the system has no descriptor left.
  var acceptRestSeconds = 0.5
}
