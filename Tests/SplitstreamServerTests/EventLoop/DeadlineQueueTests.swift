import Testing

@testable import SplitstreamServer

/// Deadlines run in the order of their times, once, and not when they were cancelled.
@Suite struct DeadlineQueueTests {
  /// Takes what is due, running it.
  private func run(_ queue: inout DeadlineQueue, at now: UInt64) {
    let newest = queue.newest
    while let action = queue.takeDue(now, upTo: newest) { action() }
  }

  @Test("in the order of time, then of adding")
  func order() {
    var queue = DeadlineQueue()
    var ran: [Int] = []
    for (place, time) in [5, 3, 9, 3, 1, 7].enumerated() {
      _ = queue.add(at: UInt64(time)) { ran.append(place) }
    }
    #expect(queue.next == 1)
    run(&queue, at: 6)
    #expect(ran == [4, 1, 3, 0])
    run(&queue, at: 100)
    #expect(ran == [4, 1, 3, 0, 5, 2])
    #expect(queue.next == nil)
  }

  @Test("a cancelled one does not run, also when it was already due")
  func cancel() {
    var queue = DeadlineQueue()
    var ran: [Int] = []
    let first = queue.add(at: 1) { ran.append(1) }
    _ = queue.add(at: 1) { ran.append(2) }
    let third = queue.add(at: 1) { ran.append(3) }
    queue.cancel(first)
    let newest = queue.newest
    queue.takeDue(1, upTo: newest)?()
    queue.cancel(third)
    #expect(queue.takeDue(1, upTo: newest) == nil)
    #expect(ran == [2])
  }

  @Test("thousands of cancelled ones are not kept, and the others still run in order")
  func manyCancelled() {
    var queue = DeadlineQueue()
    var ran: [UInt64] = []
    var random = SplitMix64(seed: 3)
    for _ in 0..<5_000 {
      let time = UInt64.random(in: 0..<1_000, using: &random)
      let token = queue.add(at: time) { ran.append(time) }
      if !time.isMultiple(of: 10) { queue.cancel(token) }
    }
    run(&queue, at: 1_000)
    #expect(ran == ran.sorted() && ran.allSatisfy { $0.isMultiple(of: 10) } && ran.count > 300)
  }

  @Test("what is added while the due ones run waits for the next time")
  func addedMeanwhile() {
    var queue = DeadlineQueue()
    _ = queue.add(at: 1) {}
    let newest = queue.newest
    #expect(queue.takeDue(1, upTo: newest) != nil)
    _ = queue.add(at: 1) {}
    #expect(queue.takeDue(1, upTo: newest) == nil)
    #expect(queue.takeDue(1, upTo: queue.newest) != nil)
  }
}
