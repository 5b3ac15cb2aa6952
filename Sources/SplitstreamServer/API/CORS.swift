/// Lets web pages of any origin call what SDKs call
/// (https://fetch.spec.whatwg.org/#http-cors-protocol).
///
/// Credentials are never allowed: the key travels in a header that the page sets, so no cookie is
/// of use to anybody.
enum CORS {
  /// What a page may ask for; `nil` when no SDK calls this path.
  static func preflight(methods: [String]) -> Response? {
    if methods.isEmpty { return nil }
    return Response(
      status: 204,
      headers: [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", methods.joined(separator: ", ")),
        ("Access-Control-Allow-Headers", "Authorization, Content-Type, Splitstream-Environment"),
        ("Access-Control-Max-Age", "7200"),
        ("Allow", (methods + ["OPTIONS"]).joined(separator: ", ")),
      ])
  }

  /// Adds to an answer that pages may read it; of a refusal, also when to try again.
  static func allow(_ response: inout Response) {
    response.constantFields =
      response.status < 400
      ? "Access-Control-Allow-Origin: *\r\n"
      : """
      Access-Control-Allow-Origin: *\r
      Access-Control-Expose-Headers: Retry-After\r

      """
  }
}
