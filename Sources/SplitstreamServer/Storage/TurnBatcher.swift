/// Does once what many requests of one loop turn wait for: collects their items, sends them together at the end of the
/// turn, and gives each its own answer. Loop-owned.
///
/// While a batch is under way the next one grows: the slower the store, the larger the batches, and an idle server adds
/// no wait.
final class TurnBatcher<Item, Output: Sendable> {
  /// One answer per item, in the order of the items.
  typealias Send = ([Item]) async -> [Result<Output, StorageError>]

  private let loop: EventLoop
  private let weightMax: Int
  private let weight: (Item) -> Int
  private let send: Send
  private var waiting:
    [(item: Item, continuation: UnsafeContinuation<Result<Output, StorageError>, Never>)] = []
  private var isSending = false

  /// - Parameters:
  ///   - weightMax: a batch ends with the item that reaches it.
  ///   - weight: of one item, in the unit of `weightMax`.
  init(
    loop: EventLoop, weightMax: Int, weight: @escaping (Item) -> Int = { _ in 1 },
    send: @escaping Send
  ) {
    self.loop = loop
    self.weightMax = weightMax
    self.weight = weight
    self.send = send
    loop.atEndOfTurn { [weak self] in self?.sendWaiting() }
  }

  /// The answer to `item`, after the batch that carries it.
  func submit(_ item: Item) async throws(StorageError) -> Output {
    let result = await withUnsafeContinuation { continuation in
      waiting.append((item, continuation))
    }
    return try result.get()
  }

  private func sendWaiting() {
    guard !isSending, !waiting.isEmpty else { return }
    isSending = true
    let batcher = LoopConfined(self, to: loop)
    Task.immediate(executorPreference: loop) {
      let batcher = batcher.value
      while !batcher.waiting.isEmpty { await batcher.sendOne() }
      batcher.isSending = false
    }
  }

  private func sendOne() async {
    var count = 0
    var total = 0
    while count < waiting.count && (count == 0 || total < weightMax) {
      total += weight(waiting[count].item)
      count += 1
    }
    let batch = Array(waiting[..<count])
    waiting.removeFirst(count)
    let results = await send(batch.map(\.item))
    precondition(results.count == batch.count, "a batch must answer every item")
    for (entry, result) in zip(batch, results) { entry.continuation.resume(returning: result) }
  }
}
