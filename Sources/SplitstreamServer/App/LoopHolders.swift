import Synchronization

/// Where the catalogue job finds the loops to tell, and other jobs what it told last.
final class LoopHolders: Sendable {
  struct Place: Sendable {
    let loop: EventLoop
    let service: LoopConfined<LoopService>
  }

  private let places = Mutex<[Place]>([])
  private let latest = Mutex(Catalogue())

  /// The shards that events may wait in.
  var shards: Set<Int> { latest.withLock { $0.shards } }

  func set(_ places: [Place]) {
    self.places.withLock { $0 = places }
  }

  /// Gives every loop the new catalogue, by a message to it.
  func publish(_ catalogue: Catalogue) {
    latest.withLock { $0 = catalogue }
    let snapshot = CatalogueSnapshot(catalogue)
    for place in places.withLock({ $0 }) {
      place.loop.submit { place.service.value.catalogue.current = snapshot }
    }
  }

  /// Returns when every loop has what was published before.
  func settle() async {
    for place in places.withLock({ $0 }) {
      await withCheckedContinuation { continuation in
        place.loop.submit { continuation.resume() }
      }
    }
  }
}
