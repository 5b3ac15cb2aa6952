import Testing

@testable import SplitstreamServer

/// Many requests of one turn, one batch; each gets its own answer.
@Suite struct TurnBatcherTests {
  /// Runs `body` with a batcher of numbers that answers their doubles, and a record of its batches.
  private func withBatcher(
    weightMax: Int = 4, sendsMax: Int = 1, weighsItsNumber: Bool = false,
    _ body: @escaping @Sendable (TurnBatcher<Int, Int>, Record, EventLoop) async throws -> Void
  ) async throws {
    try await LoopRunner.run { loop in
      let record = Record(loop)
      let batcher = TurnBatcher<Int, Int>(
        loop: loop, weightMax: weightMax, sendsMax: sendsMax,
        weight: { weighsItsNumber ? $0 : 1 },
        send: { await record.answer($0) })
      try await body(batcher, record, loop)
    }
  }

  @Test("items of one turn go together, cut where the weight is reached")
  func together() async throws {
    try await withBatcher { batcher, record, loop in
      let tasks = (0..<10).map { item in
        loop.start(with: batcher) { try await $0.submit(item) }
      }
      for (item, task) in tasks.enumerated() { try await #expect(task.value == 2 * item) }
      #expect(record.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    }
  }

  @Test("an item heavier than a batch goes alone or last, never not at all")
  func heavy() async throws {
    try await withBatcher(weighsItsNumber: true) { batcher, record, loop in
      let tasks = [1, 100, 1, 100].map { item in
        loop.start(with: batcher) { try await $0.submit(item) }
      }
      for task in tasks { _ = try await task.value }
      #expect(record.batches == [[1, 100], [1, 100]])
    }
  }

  @Test("what arrives while a batch is under way makes the next one")
  func growing() async throws {
    try await withBatcher(weightMax: 100) { batcher, record, loop in
      record.holds = true
      let first = loop.start(with: batcher) { try await $0.submit(1) }
      await record.begun(1)
      let later = [2, 3].map { item in loop.start(with: batcher) { try await $0.submit(item) } }
      record.release()
      try await #expect(first.value == 2)
      for task in later { _ = try await task.value }
      #expect(record.batches == [[1], [2, 3]])
    }
  }

  @Test("a full batch goes beside another, as many as there is room for; others wait")
  func beside() async throws {
    try await withBatcher(weightMax: 2, sendsMax: 2) { batcher, record, loop in
      record.holds = true
      var tasks = [1].map { item in loop.start(with: batcher) { try await $0.submit(item) } }
      await record.begun(1)
      tasks.append(loop.start(with: batcher) { try await $0.submit(2) })
      await loop.sleep(seconds: 0)
      #expect(record.batches == [[1]])
      tasks += (3...7).map { item in loop.start(with: batcher) { try await $0.submit(item) } }
      await record.begun(2)
      #expect(record.batches == [[1], [2, 3]])
      record.release()
      for (index, task) in tasks.enumerated() {
        try await #expect(task.value == 2 * (index + 1))
      }
      #expect(record.batches == [[1], [2, 3], [4, 5], [6, 7]])
    }
  }

  /// When the store is away the answers come without a wait, so that the next items come after the
  /// turn's end.
  @Test("an answer at the turn's end may lead to the next item")
  func chained() async throws {
    try await withBatcher { batcher, record, loop in
      record.waits = false
      for item in 0..<5 { try await #expect(batcher.submit(item) == 2 * item) }
      #expect(record.batches.count == 5)
    }
  }

  @Test("one item's failure is its own")
  func failure() async throws {
    try await withBatcher { batcher, _, loop in
      let tasks = [1, -1, 2].map { item in
        loop.start(with: batcher) { try await $0.submit(item) }
      }
      try await #expect(tasks[0].value == 2)
      await #expect(throws: StorageError.backlogFull) { try await tasks[1].value }
      try await #expect(tasks[2].value == 4)
    }
  }

  /// What was asked of the store, which fails for negative numbers. Loop-owned.
  final class Record {
    private(set) var batches: [[Int]] = []
    var holds = false
    var waits = true
    private let loop: EventLoop
    private var held: [UnsafeContinuation<Void, Never>] = []
    private var waiter: UnsafeContinuation<Void, Never>?

    init(_ loop: EventLoop) { self.loop = loop }

    func answer(_ items: [Int]) async -> [Result<Int, StorageError>] {
      batches.append(items)
      if holds {
        await withUnsafeContinuation { continuation in
          held.append(continuation)
          waiter?.resume()
          waiter = nil
        }
      } else if waits {
        await loop.sleep(seconds: 0)
      }
      return items.map { $0 < 0 ? .failure(.backlogFull) : .success(2 * $0) }
    }

    func begun(_ count: Int) async {
      while held.count < count { await withUnsafeContinuation { waiter = $0 } }
    }

    func release() {
      holds = false
      for continuation in held { continuation.resume() }
      held = []
    }
  }
}
