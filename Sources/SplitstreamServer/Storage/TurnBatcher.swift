/// Does once what many requests of one loop turn wait for: collects their items, sends them
/// together at the end of the turn, and gives each its own answer. Loop-owned.
///
/// While a batch is under way the next one grows: the slower the store, the larger the batches, and
/// an idle server adds no wait. Only a full one goes beside it, where the store has room for
/// several.
final class TurnBatcher<Item, Output: Sendable> {
  /// One answer per item, in the order of the items.
  typealias Send = ([Item]) async -> [Result<Output, StorageError>]

  private let loop: EventLoop
  private let weightMax: Int
  private let sendsMax: Int
  private let weight: (Item) -> Int
  private let send: Send
  private var waiting: [(item: Item, finish: (Result<Output, StorageError>) -> Void)] = []
  private var waitingWeight = 0
  /// Batches under way.
  private var sending = 0

  /// - Parameters:
  ///   - weightMax: a batch ends with the item that reaches it.
  ///   - sendsMax: so many batches may be under way at once.
  ///   - weight: of one item, in the unit of `weightMax`.
  init(
    loop: EventLoop, weightMax: Int, sendsMax: Int = 1,
    weight: @escaping (Item) -> Int = { _ in 1 },
    send: @escaping Send
  ) {
    self.loop = loop
    self.weightMax = weightMax
    self.sendsMax = sendsMax
    self.weight = weight
    self.send = send
    loop.atEndOfTurn { [weak self] in self?.sendWaiting() }
  }

  /// Gives `finish` the answer to `item`, after the batch that carries it.
  func submit(_ item: Item, then finish: @escaping (Result<Output, StorageError>) -> Void) {
    waiting.append((item, finish))
    waitingWeight += weight(item)
  }

  /// The same for one who awaits it.
  func submit(_ item: Item) async throws(StorageError) -> Output {
    try await withUnsafeContinuation { continuation in
      submit(item) { continuation.resume(returning: $0) }
    }.get()
  }

  private func sendWaiting() {
    while maySend(beside: sending) {
      sending += 1
      let batcher = LoopConfined(self, to: loop)
      Task.immediate(executorPreference: loop) {
        let batcher = batcher.value
        repeat { await batcher.sendOne() } while batcher.maySend(beside: batcher.sending - 1)
        batcher.sending -= 1
      }
    }
  }

  private func maySend(beside others: Int) -> Bool {
    if waiting.isEmpty { return false }
    return others == 0 || others < sendsMax && waitingWeight >= weightMax
  }

  private func sendOne() async {
    var count = 0
    var total = 0
    while count < waiting.count && (count == 0 || total < weightMax) {
      total += weight(waiting[count].item)
      count += 1
    }
    // The items go with their batch: what they hold is free again when they are answered.
    let items = waiting[..<count].map(\.item)
    let finishes = waiting[..<count].map(\.finish)
    waiting.removeFirst(count)
    waitingWeight -= total
    let results = await send(items)
    precondition(results.count == count, "a batch must answer every item")
    for (finish, result) in zip(finishes, results) { finish(result) }
  }
}
