import Synchronization

@testable import SplitstreamServer

/// An `HTTPServer` on a loop and a port of its own, for as long as a test needs it.
final class TestServer: Sendable {
  let port: Int
  private let loop: EventLoop
  private let thread: LoopThreadHandle
  private let notices: NoticeBoard
  private let isJoined = Atomic(false)

  /// - Parameter redirectingTo: the port that `HTTPSRedirect` sends clients to; nil for none.
  init(
    _ limits: TransportLimits = TransportLimits(), _ entrance: Entrance = Entrance(),
    redirectingTo tlsPort: Int? = nil, use: ClientUse = ClientUse()
  ) throws {
    let loop = try EventLoop(index: 0)
    let listener = try Listener.bind(host: "127.0.0.1", port: 0)[0]
    let notices = NoticeBoard()
    self.loop = loop
    self.notices = notices
    port = listener.port
    thread = LoopThread.start(name: "test-server") {
      let application = TestApplication(loop: loop)
      let server = HTTPServer(
        loop: loop, listener: listener, limits: limits,
        application: tlsPort.map {
          HTTPSRedirect(to: $0, probes: ["/path"], else: application)
        } ?? application,
        entrance: entrance, use: use, notice: { notices.add($0) })
      application.server = server
      do { try server.start() } catch { preconditionFailure("\(error)") }
      loop.run()
    }
  }

  func client() throws -> TestClient { try TestClient(port: port) }

  /// The notices so far.
  var noticed: [HTTPServer.Notice] { notices.all }

  /// Returns when a client's `GET /stop` has ended the loop.
  func waitUntilStopped() {
    if !isJoined.exchange(true, ordering: .relaxed) { thread.join() }
  }

  deinit {
    loop.stop()
    waitUntilStopped()
  }
}

/// Notices as they come from the loop's thread.
final class NoticeBoard: Sendable {
  private let notices = Mutex<[HTTPServer.Notice]>([])
  func add(_ notice: HTTPServer.Notice) { notices.withLock { $0.append(notice) } }
  var all: [HTTPServer.Notice] { notices.withLock { $0 } }
}

/// Answers at once, later, or when another client says so.
final class TestApplication: Application {
  weak var server: HTTPServer?
  private let loop: EventLoop
  private var waiting: [UnsafeContinuation<Void, Never>] = []
  private var kilobytesAnswered = 0

  init(loop: EventLoop) {
    self.loop = loop
  }

  func answer(_ request: Request) -> Answer<Response, Never> {
    if let response = answerNow(request) { return .now(response) }
    return .awaited { [self] in .success(await answerLater(request)) }
  }

  private func answerNow(_ request: Request) -> Response? {
    switch String(decoding: request.rawPath, as: UTF8.self) {
    case "/echo", "/large": text([UInt8](request.body))
    case "/path": text([UInt8](request.rawQuery))
    case "/origin":
      text([UInt8]("\(request.origin.address) \(request.origin.isSecure)".utf8))
    case "/megabytes": text([UInt8](repeating: 0x6d, count: 8 << 20))
    case "/kilobytes": kilobytes()
    case "/answered": text([UInt8](String(kilobytesAnswered).utf8))
    case "/release": release()
    case "/waiting": text([UInt8](String(waiting.count).utf8))
    case "/connections": text([UInt8](String(server?.connectionCount ?? 0).utf8))
    case "/held": text([UInt8](String(server?.use.bodyBytes ?? 0).utf8))
    case "/stop": stop()
    default: nil
    }
  }

  private func answerLater(_ request: Request) async -> Response {
    switch String(decoding: request.rawPath, as: UTF8.self) {
    case "/immediate": break
    case "/wait": await withUnsafeContinuation { waiting.append($0) }
    default: await Task.yield()
    }
    precondition(loop.isOnLoop, "answered on another thread")
    return text([UInt8](request.rawQuery) + request.body)
  }

  func problem(for error: HTTPError) -> Response {
    Response(
      status: error.status, contentType: "application/problem+json",
      body: [UInt8]("{\"status\":\(error.status)}".utf8))
  }

  func bodyBytesMax(for head: Request) -> Int {
    head.rawPath.elementsEqual("/large".utf8) ? 3 << 20 : 1 << 20
  }

  private func release() -> Response {
    let released = waiting
    waiting = []
    for continuation in released { continuation.resume() }
    return text([UInt8](String(released.count).utf8))
  }

  private func kilobytes() -> Response {
    kilobytesAnswered += 1
    return text([UInt8](repeating: 0x6b, count: 100 << 10))
  }

  private func stop() -> Response {
    server?.stop(withinSeconds: 10) { [loop] in loop.stop() }
    return text([])
  }

  private func text(_ body: [UInt8]) -> Response {
    Response(status: 200, contentType: "text/plain", body: body)
  }
}
