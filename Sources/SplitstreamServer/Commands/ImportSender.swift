import Dispatch
import Synchronization

/// Sends the batches of one pass over several connections. Each has its thread, which takes the
/// next batch when it has an answer to the last; so reading the file and waiting for the server
/// overlap without a queue between them.
struct ImportSender: Sendable {
  static let connections = 4

  let target: String
  /// Makes the client of one connection, on the thread that will use it.
  let connect: @Sendable () -> ServerAPI

  func send(
    _ batches: sending ImportBatches, file: String, progress: ProgressBar
  ) throws(ImportError) -> ImportTally {
    let step = Step(batches, file: file, progress: progress)
    let group = DispatchGroup()
    for number in 1...Self.connections {
      // A queue of its own is a thread of its own, also when all of them block.
      DispatchQueue(label: "splitstream.import.\(number)").async(group: group) {
        step.run(target: target, api: connect())
      }
    }
    group.wait()
    return try step.result()
  }

  /// What the threads share.
  private final class Step: Sendable {
    private let file: String
    private let batches: Mutex<ImportBatches>
    private let state: Mutex<State>

    private struct State {
      var tally = ImportTally()
      var progress: ProgressBar
      /// The first; it stops all threads.
      var failure: ImportError?
    }

    init(_ batches: sending ImportBatches, file: String, progress: ProgressBar) {
      self.file = file
      self.batches = Mutex(batches)
      state = Mutex(State(progress: progress))
    }

    func run(target: String, api: ServerAPI) {
      do throws(ImportError) {
        while let batch = try nextBatch() {
          let ack = try ImportSetup.called { () throws(ClientError) in
            try api.post(target, batch.body)
          }
          try add(ack, for: batch)
        }
      } catch {
        state.withLock { if $0.failure == nil { $0.failure = error } }
      }
    }

    func result() throws(ImportError) -> ImportTally {
      let (tally, progress, failure) = state.withLock { ($0.tally, $0.progress, $0.failure) }
      Terminal.writeNote(progress.finish(done: tally.done, at: Monotonic.now()))
      if let failure { throw failure }
      return tally
    }

    private func nextBatch() throws(ImportError) -> ImportBatch? {
      if state.withLock({ $0.failure != nil }) { return nil }
      do throws(TableError) {
        return try batches.withLock { batches throws(TableError) in try batches.next() }
      } catch {
        throw .table(file: file, error)
      }
    }

    private func add(_ ack: JSONValue, for batch: ImportBatch) throws(ImportError) {
      try ImportSetup.called { () throws(ClientError) in
        try state.withLock { state throws(ClientError) in
          try state.tally.add(ack, for: batch)
          if let text = state.progress.update(done: state.tally.done, at: Monotonic.now()) {
            Terminal.writeNote(text)
          }
        }
      }
    }
  }
}
