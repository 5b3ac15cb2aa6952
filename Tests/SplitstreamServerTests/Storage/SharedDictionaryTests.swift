import Testing

@testable import SplitstreamServer

/// A dictionary like any other, but for what a copy costs.
@Suite struct SharedDictionaryTests {
  @Test("it holds what a dictionary holds, and copies live apart")
  func model() {
    var random = SplitMix64(seed: 1)
    var shared = SharedDictionary<ULID, Int>()
    var model: [ULID: Int] = [:]
    var copies: [(SharedDictionary<ULID, Int>, [ULID: Int])] = []
    let keys = (0..<500).map { _ in ULID(high: random.next(), low: random.next()) }
    for step in 0..<5000 {
      let key = keys[Int.random(in: 0..<keys.count, using: &random)]
      let value = Int.random(in: 0..<4, using: &random) == 0 ? nil : step
      shared[key] = value
      model[key] = value
      if step % 1000 == 0 { copies.append((shared, model)) }
    }
    for (shared, model) in copies + [(shared, model)] {
      #expect(shared.values.sorted() == model.values.sorted())
      for key in keys { #expect(shared[key] == model[key]) }
    }
  }

  @Test("keys fall into its parts evenly")
  func spread() {
    var counts = [Int](repeating: 0, count: 256)
    for number in 0..<25_600 {
      counts[Int(ExperimentKey("experiment-\(number)").spread % 256)] += 1
    }
    #expect(counts.allSatisfy { (50...150).contains($0) })
  }
}
