/// Finds the route of a method and a path among templates such as `/v1/experiments/{id}/start`.
///
/// A path is split at its slashes first and percent-decoded once after that, so an escaped slash
/// stays in its segment.
struct Router<Route: Sendable>: Sendable {
  private var root = Node()
  /// The templates without parameters, by a hash of their bytes: most requests are found here,
  /// without allocation.
  private var fixed: [UInt64: FixedPath] = [:]
  private let allMethods: [String]

  /// What a method and a path lead to.
  enum Match {
    case found(Route, parameters: [String])
    /// The path exists. The methods it has are in the order of the table; OPTIONS is the caller's
    /// affair.
    case methodNotAllowed(allow: [String])
    case notFound
    case malformed(HTTPError)
  }

  /// - Parameter routes: the templates' segments are literal, or one parameter `{name}` each.
  init(_ routes: [(method: HTTPMethod, template: String, route: Route)]) {
    var methods: [String] = []
    for (method, template, route) in routes {
      precondition(template.hasPrefix("/"), "\(template) does not start with a slash")
      root.add(
        method, template.split(separator: "/", omittingEmptySubsequences: false).dropFirst(), route)
      for name in Endpoints.names(of: method) where !methods.contains(name) { methods.append(name) }
    }
    allMethods = methods
    for template in Set(routes.map(\.template)) where !template.contains("{") {
      let path = [UInt8](template.utf8)
      let segments = Self.segments(path[...]).map { [UInt8]($0) }
      guard let (endpoints, _) = root.find(segments[...]) else { continue }
      // Two of a dozen paths with one hash would only lose the second its short way.
      fixed[Self.hash(path[...])] = FixedPath(path: path, endpoints: endpoints)
    }
  }

  func match(_ method: HTTPMethod, _ rawPath: ArraySlice<UInt8>) -> Match {
    if let fixed = fixed[Self.hash(rawPath)], rawPath.isSame(as: fixed.path) {
      return fixed.endpoints.match(method, [])
    }
    // RFC 9110 §9.3.7: OPTIONS * asks about the server as a whole.
    if rawPath.first == ASCII.asterisk { return .methodNotAllowed(allow: allMethods) }
    do throws(HTTPError) {
      var segments: [[UInt8]] = []
      for segment in Self.segments(rawPath) {
        segments.append(try PercentCoding.decodedBytes(segment))
      }
      for segment in segments where String(validating: segment, as: UTF8.self) == nil {
        throw .content(.badRequest, "The path is not UTF-8 once it is decoded.")
      }
      guard let (endpoints, parameters) = root.find(segments[...]) else { return .notFound }
      return endpoints.match(method, parameters.map { String(decoding: $0, as: UTF8.self) })
    } catch {
      return .malformed(error)
    }
  }

  private static func segments(_ path: ArraySlice<UInt8>) -> some Sequence<ArraySlice<UInt8>> {
    path.split(separator: ASCII.slash, omittingEmptySubsequences: false).dropFirst()
  }

  /// FNV-1a. The table is ours, so nobody gains by finding equal hashes: the bytes are compared
  /// after it.
  private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }

  private struct FixedPath: Sendable {
    let path: [UInt8]
    let endpoints: Endpoints
  }

  /// The methods of one template.
  private struct Endpoints: Sendable {
    var routes: [(method: HTTPMethod, route: Route)] = []

    func match(_ method: HTTPMethod, _ parameters: [String]) -> Match {
      // RFC 9110 §9.3.2: HEAD is GET without the body, unless it has a route of its own.
      let found =
        routes.first { $0.method == method }
        ?? (method == .head ? routes.first { $0.method == .get } : nil)
      if let found { return .found(found.route, parameters: parameters) }
      return .methodNotAllowed(allow: routes.flatMap { Self.names(of: $0.method) })
    }

    static func names(of method: HTTPMethod) -> [String] {
      method == .get ? ["GET", "HEAD"] : [method.name]
    }
  }

  /// A place in the tree of segments.
  private struct Node: Sendable {
    var literals: [[UInt8]: Node] = [:]
    var parameter: [Node] = []
    var endpoints: Endpoints?

    mutating func add(_ method: HTTPMethod, _ segments: ArraySlice<Substring>, _ route: Route) {
      guard let segment = segments.first else {
        endpoints = endpoints ?? Endpoints()
        endpoints?.routes.append((method, route))
        return
      }
      if segment.hasPrefix("{") {
        if parameter.isEmpty { parameter.append(Node()) }
        parameter[0].add(method, segments.dropFirst(), route)
      } else {
        literals[[UInt8](segment.utf8), default: Node()].add(method, segments.dropFirst(), route)
      }
    }

    /// A literal is preferred to a parameter, and a parameter is never empty.
    func find(_ segments: ArraySlice<[UInt8]>) -> (Endpoints, [[UInt8]])? {
      guard let segment = segments.first else { return endpoints.map { ($0, []) } }
      let rest = segments.dropFirst()
      if let found = literals[segment]?.find(rest) { return found }
      guard !segment.isEmpty, let (endpoints, parameters) = parameter.first?.find(rest) else {
        return nil
      }
      return (endpoints, [segment] + parameters)
    }
  }
}
