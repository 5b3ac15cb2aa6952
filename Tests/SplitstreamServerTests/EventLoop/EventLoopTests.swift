import Glibc
import Testing

@testable import SplitstreamServer

/// What the loop promises to those who live on it.
@Suite struct EventLoopTests {
  @Test("async code stays on the loop, through every wait")
  func executor() async throws {
    let places = try await LoopRunner.run { loop in
      var places = [loop.isOnLoop]
      await Task.yield()
      places.append(loop.isOnLoop)
      await loop.sleep(seconds: 0.001)
      places.append(loop.isOnLoop)
      return places
    }
    #expect(places == [true, true, true])
  }

  @Test("submitted actions run in their order")
  func submit() async throws {
    let order = try await LoopRunner.run { loop in
      let noted = Noted()
      let confined = LoopConfined(noted, to: loop)
      for number in 0..<100 { loop.submit { confined.value.numbers.append(number) } }
      await withUnsafeContinuation { continuation in loop.submit { continuation.resume() } }
      return noted.numbers
    }
    #expect(order == Array(0..<100))
  }

  @Test(
    "a descriptor closed and opened again within a turn is not told the events of its former self")
  func reusedDescriptor() async throws {
    let told = try await LoopRunner.run { loop in
      // Two pairs become readable in one turn. Whoever is told first closes the other's descriptor
      // and opens the number anew.
      let pairs = try [Pair(), Pair()]
      let watchers = pairs.map { PairWatcher(loop, $0) }
      watchers[0].other = watchers[1]
      watchers[1].other = watchers[0]
      for watcher in watchers { try loop.watch(watcher.pair.near, .read, watcher) }
      for pair in pairs { pair.write() }
      await loop.sleep(seconds: 0.01)
      return watchers.map { [$0.told, $0.newcomer.told] }
    }
    #expect(told.map { $0[0] }.sorted() == [0, 1])
    #expect(told.allSatisfy { $0[1] == 0 })
  }

  /// A list that belongs to the loop.
  private final class Noted {
    var numbers: [Int] = []
  }

  /// Counts what it is told.
  private final class Counter: Watcher {
    var told = 0
    func ready(_ readiness: Readiness) { told += 1 }
  }

  /// Two connected sockets.
  private final class Pair {
    let near: Int32
    let far: Int32
    init() throws {
      var fds: [Int32] = [0, 0]
      try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &fds) == 0)
      (near, far) = (fds[0], fds[1])
    }
    func write() { _ = Glibc.write(far, "x", 1) }
    deinit {
      close(near)
      close(far)
    }
  }

  /// Replaces the descriptor of `other` by one of which nothing is to be told.
  private final class PairWatcher: Watcher {
    let pair: Pair
    let newcomer = Counter()
    var told = 0
    weak var other: PairWatcher?
    private let loop: EventLoop

    init(_ loop: EventLoop, _ pair: Pair) {
      self.loop = loop
      self.pair = pair
    }

    func ready(_ readiness: Readiness) {
      told += 1
      loop.unwatch(pair.near)
      guard let other, let quiet = try? Pair() else { return }
      loop.unwatch(other.pair.near)
      dup2(quiet.near, other.pair.near)
      try? loop.watch(other.pair.near, .read, newcomer)
      silent = quiet
    }
    private var silent: Pair?
  }
}
