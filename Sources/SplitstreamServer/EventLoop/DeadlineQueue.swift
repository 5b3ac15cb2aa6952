/// Actions waiting for their time: a binary heap by time, cancelled entries left in place until
/// they come up.
struct DeadlineQueue {
  private var heap: [Entry] = []
  private var actions: [UInt64: () -> Void] = [:]
  private var lastID: UInt64 = 0

  /// When the earliest entry is due, in the loop's monotonic nanoseconds; it may have been
  /// cancelled.
  var next: UInt64? { heap.first?.time }

  mutating func add(at time: UInt64, _ action: @escaping () -> Void) -> DeadlineToken {
    lastID += 1
    actions[lastID] = action
    heap.append(Entry(time: time, id: lastID))
    siftUp(heap.count - 1)
    return DeadlineToken(id: lastID)
  }

  mutating func cancel(_ token: DeadlineToken) {
    actions[token.id] = nil
    // Cancelled entries must not outnumber the live ones: most deadlines are cancelled long before
    // they are due.
    if heap.count > 64 && heap.count > actions.count * 2 {
      heap = heap.filter { actions[$0.id] != nil }
      heap.sort { ($0.time, $0.id) < ($1.time, $1.id) }
    }
  }

  /// The entry added last, for `takeDue`.
  var newest: DeadlineToken { DeadlineToken(id: lastID) }

  /// Removes and returns the earliest action due at `now`, one at a time: the one before may have
  /// cancelled it.
  ///
  /// - Parameter newest: what was added after it waits, so that an action that schedules itself
  ///   cannot go on for ever.
  mutating func takeDue(_ now: UInt64, upTo newest: DeadlineToken) -> (() -> Void)? {
    while let first = heap.first, first.time <= now, first.id <= newest.id {
      removeFirst()
      if let action = actions.removeValue(forKey: first.id) { return action }
    }
    return nil
  }

  private struct Entry {
    let time: UInt64
    let id: UInt64
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && isBefore(heap[child], heap[smallest]) {
        smallest = child
      }
      if smallest == parent { return }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0, isBefore(heap[child], heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private func isBefore(_ left: Entry, _ right: Entry) -> Bool {
    (left.time, left.id) < (right.time, right.id)
  }
}

/// Names one scheduled action, to cancel it.
struct DeadlineToken: Equatable, Sendable {
  fileprivate let id: UInt64
}
