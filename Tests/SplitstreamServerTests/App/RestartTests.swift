import Foundation
import Synchronization
import Testing

@testable import SplitstreamServer

/// The built program started, stopped and replaced while clients call it.
@Suite struct RestartTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("no connection is refused or reset when a successor takes over, under load")
  func handover() throws {
    var settings = ServerProcess.settings()
    settings["server.handover_socket"] = "\"\(folder.path)/handover.sock\""
    // However long a busy machine keeps a client from sending what it has begun.
    settings["server.idle_grace_seconds"] = "20"
    settings["server.shutdown_seconds"] = "30"
    var server = try ServerProcess(in: folder, settings)
    let load = Load(port: server.port)
    load.waitForMore(200)
    for loops in ["2", "3", "1"] {
      settings["server.loops"] = loops
      let successor = try ServerProcess(in: folder, settings)
      #expect(successor.port == server.port)
      #expect(server.wait() == 0)
      server = successor
      load.waitForMore(200)
    }
    load.stop()
    #expect(load.failures == [])
    server.signal(SIGTERM)
    #expect(server.wait() == 0)
    // The last one leaves nothing behind.
    #expect(!Files.exists(folder.path + "/handover.sock"))
  }

  @Test("a successor that does not come up changes nothing")
  func failedSuccessor() throws {
    var settings = ServerProcess.settings()
    let path = folder.path + "/handover.sock"
    settings["server.handover_socket"] = "\"\(path)\""
    let server = try ServerProcess(in: folder, settings)
    let port = server.port
    var predecessor = try Predecessor(at: path)
    let taken = try #require(predecessor).take(host: "127.0.0.1", port: port)
    #expect(taken.count == 2 && taken.allSatisfy { $0.port == port })
    #expect(predecessor?.take(host: "127.0.0.1", port: 0).isEmpty == true)
    for listener in taken { listener.close() }
    predecessor = nil
    for _ in 1...20 { #expect(try TestClient(port: port).get("/v1/healthz").status == 200) }
    server.signal(SIGTERM)
    #expect(server.wait() == 0)
  }

  @Test("what a killed process left at the path is no predecessor")
  func stalePath() throws {
    var settings = ServerProcess.settings()
    settings["server.handover_socket"] = "\"\(folder.path)/handover.sock\""
    let server = try ServerProcess(in: folder, settings)
    _ = server.port
    server.signal(SIGKILL)
    _ = server.wait()
    let next = try ServerProcess(in: folder, settings)
    #expect(try TestClient(port: next.port).get("/v1/healthz").status == 200)
  }

  @Test("a second signal ends a stop at once")
  func secondSignal() throws {
    var settings = ServerProcess.settings()
    settings["server.unready_seconds"] = "600"
    let server = try ServerProcess(in: folder, settings)
    let client = try TestClient(port: server.port)
    server.signal(SIGTERM)
    while try !client.get("/v1/readyz").text.contains("stopping") {}
    // Not SIGINT: who runs the tests in the background of a script has it ignored.
    server.signal(SIGTERM)
    #expect(server.wait() & 0x7f == SIGTERM)
  }
}

/// Clients that call the server all the time, on connections old and new.
private final class Load: Sendable {
  private let port: Int
  private let isStopped = Atomic(false)
  private let answered = Atomic(0)
  private let failed = Mutex<[String]>([])
  private let threads = DispatchGroup()

  init(port: Int) {
    self.port = port
    for index in 0..<4 {
      threads.enter()
      Thread { [self] in
        while !isStopped.load(ordering: .relaxed) {
          do {
            try index.isMultiple(of: 2) ? once() : keepAlive()
          } catch {
            failed.withLock { $0.append("\(error)") }
          }
        }
        threads.leave()
      }.start()
    }
  }

  var failures: [String] { failed.withLock { $0 } }

  func waitForMore(_ count: Int) {
    let goal = answered.load(ordering: .relaxed) + count
    TestProcess.waitUntil("the load is answered") {
      answered.load(ordering: .relaxed) >= goal || !failures.isEmpty
    }
  }

  func stop() {
    isStopped.store(true, ordering: .relaxed)
    threads.wait()
  }

  private func once() throws {
    let client = try TestClient(port: port)
    try client.send("GET /v1/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    try check(client.answer())
  }

  private func keepAlive() throws {
    let client = try TestClient(port: port)
    while !isStopped.load(ordering: .relaxed) {
      let answer = try client.get("/v1/healthz")
      try check(answer)
      if answer.head.contains("Connection: close") { return }
    }
  }

  private func check(_ answer: TestClient.Answer) throws {
    guard answer.status == 200 else { throw TestClient.Failure.malformed(answer.head) }
    answered.add(1, ordering: .relaxed)
  }
}
