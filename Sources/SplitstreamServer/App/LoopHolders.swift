import Synchronization

/// Where the catalogue job finds the loops to tell: set once, when they are built.
final class LoopHolders: Sendable {
  struct Place: Sendable {
    let loop: EventLoop
    let service: LoopConfined<LoopService>
  }

  private let places = Mutex<[Place]>([])

  func set(_ places: [Place]) {
    self.places.withLock { $0 = places }
  }

  /// Gives every loop the new catalogue, by a message to it.
  func publish(_ catalogue: Catalogue) {
    for place in places.withLock({ $0 }) {
      place.loop.submit { place.service.value.catalogue.current = catalogue }
    }
  }
}
