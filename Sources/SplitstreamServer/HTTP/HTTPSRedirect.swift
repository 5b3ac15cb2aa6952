/// Sends everybody to the same place by HTTPS. Who has come by HTTPS through a proxy is answered,
/// and so are a load balancer's probes, which take a redirect for a fault.
final class HTTPSRedirect: Application {
  private let application: any Application
  private let port: Int
  private let probes: [[UInt8]]

  /// - Parameters:
  ///   - port: where HTTPS is served on this host.
  ///   - probes: the paths that are answered by HTTP, too.
  init(to port: Int, probes: [String] = [], else application: any Application) {
    self.port = port
    self.probes = probes.map { [UInt8]($0.utf8) }
    self.application = application
  }

  func answer(_ request: Request) -> Answer<Response, Never> {
    request.origin.isSecure || probes.contains(where: request.rawPath.isSame)
      ? application.answer(request) : .now(redirection(of: request))
  }

  func problem(for error: HTTPError) -> Response { application.problem(for: error) }

  func bodyBytesMax(for head: Request) -> Int { application.bodyBytesMax(for: head) }

  /// RFC 9110 §15.4.9: 308 keeps the method and the body.
  private func redirection(of request: Request) -> Response {
    guard let host = Self.host(request.headerText("host") ?? ""),
      request.rawPath.first != ASCII.asterisk
    else {
      return problem(for: .content(.badRequest, "This port only redirects to HTTPS."))
    }
    var location = "https://\(host)" + (port == 443 ? "" : ":\(port)")
    location += String(decoding: request.rawPath, as: UTF8.self)
    if !request.rawQuery.isEmpty {
      location += "?" + String(decoding: request.rawQuery, as: UTF8.self)
    }
    return Response(status: 308, headers: [("Location", location)])
  }

  /// The host of an authority that the parser has checked, without its port.
  private static func host(_ authority: String) -> Substring? {
    let end =
      authority.hasPrefix("[")
      ? authority.firstIndex(of: "]").map(authority.index(after:))
      : authority.firstIndex(of: ":")
    let host = authority[..<(end ?? authority.endIndex)]
    return host.isEmpty ? nil : host
  }
}
