/// The description of the API as the server hands it out: to programs as it is, to people as a page
/// made from it.
///
/// Both are made once, at the start, and shared by all loops.
struct Documentation: Sendable {
  let description: FixedAnswer
  let reference: FixedAnswer

  /// - Parameter openapi: the bytes of openapi.json.
  /// - Throws: `JSONError` unless they are JSON.
  init(_ openapi: [UInt8]) throws(JSONError) {
    description = FixedAnswer(response: .json(openapi))
    let page = ReferencePage(try JSONValue(parsing: openapi))
    reference = FixedAnswer(
      response: Response(
        status: 200,
        headers: [
          // The page needs its own style and nothing else; what it quotes can do nothing.
          ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
          ("X-Content-Type-Options", "nosniff"),
        ],
        contentType: "text/html; charset=utf-8", body: [UInt8](page.html.utf8)))
  }
}

/// An answer that is always the same.
struct FixedAnswer: OpenHandler, Sendable {
  let response: Response

  func answer(_ request: Request) -> Response { response }
}
