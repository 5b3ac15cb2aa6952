import Dispatch
import Synchronization
import Testing

@testable import SplitstreamServer

/// A name is looked up beside the loop, which goes on meanwhile.
@Suite struct HostLookupTests {
  @Test("the loop goes on while a name is looked up, and hears of it on its own thread")
  func beside() throws {
    let loop = try EventLoop(index: 0)
    let goesOn = DispatchSemaphore(value: 0)
    let steps = StepList()
    HostLookup.addresses(
      of: "slow.example", on: loop,
      with: { host in
        // Only the loop's next action ends this wait.
        goesOn.wait()
        return ["looked up \(host)"]
      },
      then: { addresses in
        loop.preconditionOnLoop()
        steps.add(addresses[0])
        loop.stop()
      })
    loop.submit {
      steps.add("the loop goes on")
      goesOn.signal()
    }
    loop.run()
    #expect(steps.all == ["the loop goes on", "looked up slow.example"])
  }

  @Test("names have addresses, IPv4 first; an unknown one has none")
  func resolving() {
    #expect(HostLookup.resolve("localhost").first == "127.0.0.1")
    #expect(HostLookup.resolve("192.0.2.7") == ["192.0.2.7"])
    #expect(HostLookup.resolve("no.such.name.invalid") == [])
  }

  @Test(
    "numeric addresses and paths need no look-up",
    arguments: [
      ("db", true), ("db.example", true), ("1.2.3", false), ("10.0.0.1", false), ("::1", false),
      ("/run/postgresql", false), ("@abstract", false), ("", false),
    ])
  func names(host: String, isName: Bool) {
    #expect(HostLookup.isName(host) == isName)
  }

  @Test("the addresses of PostgreSQL's hosts stand beside their names, with their ports")
  func postgres() throws {
    func resolved(_ url: String, _ found: [String: [String]]) throws -> [String]? {
      let address = try PostgresAddress(parsing: url)
      #expect(Set(address.hostNames) == Set(found.keys))
      return address.resolved(found).map { address in
        ["host", "hostaddr", "port"].map { address.parameters[$0] ?? "-" }
      }
    }
    #expect(
      try resolved("postgres://db:5433/x", ["db": ["10.0.0.1", "::1"]]) == [
        "db,db", "10.0.0.1,::1", "5433,5433",
      ])
    #expect(try resolved("postgres://db/x", ["db": ["10.0.0.1"]]) == ["db", "10.0.0.1", "-"])
    #expect(
      try resolved("postgres://a:1,10.0.0.9:2,b:3/x", ["a": ["10.0.0.1", "10.0.0.2"], "b": []]) == [
        "a,a,10.0.0.9", "10.0.0.1,10.0.0.2,", "1,1,2",
      ])
    #expect(try resolved("postgres://db/x", ["db": []]) == nil)
    #expect(try resolved("postgres://10.0.0.1:1/x", [:]) == ["10.0.0.1", "-", "1"])
    #expect(try resolved("postgres://%2Frun/x", [:]) == ["/run", "-", "-"])
    #expect(try resolved("postgres://db/x?hostaddr=10.0.0.3", [:]) == ["db", "10.0.0.3", "-"])
  }
}

/// What happened, in its order, from several threads.
private final class StepList: Sendable {
  private let steps = Mutex<[String]>([])
  func add(_ step: String) { steps.withLock { $0.append(step) } }
  var all: [String] { steps.withLock { $0 } }
}
