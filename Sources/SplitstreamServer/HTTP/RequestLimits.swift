/// How much of a request head is read. The body's limit is decided per request, once its head is
/// known.
struct RequestLimits: Sendable {
  /// Beyond it: 414.
  var requestLineBytesMax = 16_000
  /// Request line and fields together, line ends included. Beyond it: 431. Also the limit of a
  /// trailer section.
  var headBytesMax = 32_000
  /// Field lines of one section. Beyond it: 431.
  var fieldCountMax = 100
  /// A body that says that it is no longer than this has leave, whatever the request: the
  /// application need not be asked.
  var bodyBytesUnasked = 0
}
