import Testing

@testable import SplitstreamServer

/// A simulation is only worth something if its random numbers and its rule are the right ones.
@Suite struct SimulationTests {
  @Test("a design's seed decides its result, whatever runs beside it")
  func deterministic() {
    var design = SimulationDesign()
    design.rule.minSamplePerVariant = 1000
    design.rule.posteriorThreshold = 0.9
    let winners = (0..<20).map { run -> Int? in
      var simulation = ExperimentSimulation(design, seed: 7, run: run)
      return simulation.run()?.winner
    }
    let again = (0..<20).reversed().map { run -> Int? in
      var simulation = ExperimentSimulation(design, seed: 7, run: run)
      return simulation.run()?.winner
    }
    #expect(winners == again.reversed())
    #expect(Set(winners).count > 1)
  }

  /// 200 runs a cell in debug: the interval of so few is wide, and a wrong rule is far outside.
  @Test("the published cells come out again", arguments: try Calibration.cells())
  func published(cell: Calibration.Cell) throws {
    let design = try #require(
      SimulationDesign.published.first {
        $0.rule.posteriorThreshold == cell.threshold
          && $0.rule.minSamplePerVariant == cell.minSample
          && $0.rule.snapshotCadenceMinutes == cell.cadenceMinutes
      })
    let result = Simulator(design: design, runs: 200, seed: 1).run(label: "test")
    #expect(result.interval.lower <= cell.upper && result.interval.upper >= cell.lower)
  }

  @Test("a treatment that converts better wins, the control almost never")
  func power() {
    var design = SimulationDesign()
    design.relativeLift = 0.2
    let result = Simulator(design: design, runs: 50, seed: 3).run(label: "test")
    #expect(result.treatmentWins == 50)
    #expect(result.controlWins == 0)
  }

  @Test(
    "binomial numbers have their mean and variance",
    arguments: [(20, 0.05), (333, 0.1), (8333, 0.1), (40, 0.9), (1000, 0.5)])
  func binomial(trials: Int, rate: Double) {
    var random = SeededRandom(seed: 1, stream: UInt64(trials))
    let draws = (0..<20_000).map { _ in Double(random.binomial(trials: trials, rate: rate)) }
    check(draws, mean: Double(trials) * rate, variance: Double(trials) * rate * (1 - rate))
    #expect(draws.allSatisfy { (0...Double(trials)).contains($0) })
  }

  @Test("Poisson numbers have their mean and variance", arguments: [0.3, 5.0, 12.0, 333.3])
  func poisson(expected: Double) {
    var random = SeededRandom(seed: 2, stream: UInt64(expected))
    let draws = (0..<20_000).map { _ in Double(random.poisson(expected: expected)) }
    check(draws, mean: expected, variance: expected)
  }

  /// Within five standard errors; the seed is fixed, so that it holds or does not, for ever.
  private func check(_ draws: [Double], mean: Double, variance: Double) {
    let count = Double(draws.count)
    let average = draws.reduce(0, +) / count
    let spread = draws.reduce(0) { $0 + ($1 - average) * ($1 - average) } / (count - 1)
    #expect(abs(average - mean) < 5 * (variance / count).squareRoot())
    #expect(abs(spread / variance - 1) < 5 * (2 / count + 1 / (count * variance)).squareRoot())
  }
}

/// The published table, as another program found it.
enum Calibration {
  struct Cell: Sendable {
    let threshold: Double
    let minSample: Int
    let cadenceMinutes: Int
    let lower: Double
    let upper: Double
  }

  static func cells() throws -> [Cell] {
    let document = try JSONValue(parsing: Repository.fixture("calibration.json"))
    return try #require(document["cells"]).elements.map { cell in
      let ends = try #require(cell["interval"]).elements.compactMap(\.double)
      return Cell(
        threshold: try #require(cell["threshold"]?.double),
        minSample: try #require(cell["min_sample"]?.integer),
        cadenceMinutes: try #require(cell["cadence_minutes"]?.integer), lower: ends[0],
        upper: ends[1])
    }
  }
}
