import ArgumentParser
import Dispatch
import Synchronization

/// `splitstream-server simulate`: how often a decision rule is satisfied when it is asked at every
/// snapshot: its false positives without an effect, its power with one.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Measure a decision rule's false positives or power by simulation.",
    discussion: """
      Simulated experiments with a binary metric are put to the product's own rule at every \
      snapshot, as somebody who looks at every one would. Without --lift every decision is a false \
      positive.

      Example: splitstream-server simulate --threshold 0.95 --min-sample 1000 --cadence 15
      Example: splitstream-server simulate --preset published
      """)

  /// Designs with a name.
  enum Preset: String, CaseIterable, ExpressibleByArgument {
    case published
  }

  @Option(help: "All cells of a published table instead of one design.")
  var preset: Preset?

  @Option(
    help:
      "bayesian.posterior_threshold, bayesian.always_valid_evalue or frequentist.sequential_msprt.")
  var method = DecisionRule.Method.posteriorThreshold

  @Option(help: "posterior_threshold; the other methods use 1 minus it as their level.")
  var threshold = DecisionRule().posteriorThreshold

  @Option(help: "min_sample_per_variant.")
  var minSample = DecisionRule().minSamplePerVariant

  @Option(help: "minimum_detectable_effect, relative.")
  var mde = DecisionRule().minimumDetectableEffect

  @Option(help: "snapshot_cadence_minutes.")
  var cadence = DecisionRule().snapshotCadenceMinutes

  @Option(help: "max_duration_days.")
  var days = DecisionRule().maxDurationDays

  @Option(help: "The control's conversion rate.")
  var baseline = 0.1

  @Option(help: "How much better the treatments convert, relative to the control.")
  var lift = 0.0

  @Option(help: "Units a day, of all arms together.")
  var unitsPerDay = 4000

  @Option(help: "Arms with equal weights, the control among them.")
  var arms = 2

  @Option(help: "How units come in: poisson, or fixed (the same number in every arm).")
  var arrivals = SimulationDesign.Arrivals.poisson

  @Option(help: "Simulated experiments of each design.")
  var runs = 20_000

  @Option(help: "The same seed gives the same result.")
  var seed: UInt64 = 1

  @Flag(help: "Print JSON instead of a table.")
  var json = false

  func validate() throws {
    guard (1...10_000_000).contains(runs) else {
      throw ValidationError("--runs must be from 1 to 10000000")
    }
    guard (2...20).contains(arms) else { throw ValidationError("--arms must be from 2 to 20") }
    guard baseline > 0, baseline * (1 + max(0, lift)) < 1, lift > -1 else {
      throw ValidationError("--baseline and --lift must give rates between 0 and 1")
    }
    guard (1...100_000_000).contains(unitsPerDay) else {
      throw ValidationError("--units-per-day must be from 1 to 100000000")
    }
    if let problem = design.rule.problems(at: "").first {
      throw ValidationError("\(problem.pointer.dropFirst()) \(problem.detail)")
    }
  }

  func run() throws {
    let designs = preset == nil ? [design] : SimulationDesign.published
    let results = designs.enumerated().map { index, design in
      let label = designs.count == 1 ? "simulating" : "simulating \(index + 1) of \(designs.count)"
      return Simulator(design: design, runs: runs, seed: seed).run(label: label)
    }
    let report = SimulationReport(cells: Array(zip(designs, results)), seed: seed)
    Terminal.writeResult(json ? report.json : report.text)
  }

  private var design: SimulationDesign {
    SimulationDesign(
      rule: DecisionRule(
        method: method, posteriorThreshold: threshold, minimumDetectableEffect: mde,
        minSamplePerVariant: minSample, maxDurationDays: days, snapshotCadenceMinutes: cadence),
      baseline: baseline, relativeLift: lift, unitsPerDay: unitsPerDay, arms: arms,
      arrivals: arrivals)
  }
}

extension DecisionRule.Method: ExpressibleByArgument {}
extension SimulationDesign.Arrivals: ExpressibleByArgument {}

/// Repeats a design on all cores. Each run has its own stream of random numbers, so that the result
/// does not depend on the number of cores.
struct Simulator: Sendable {
  let design: SimulationDesign
  let runs: Int
  let seed: UInt64

  private static let runsPerTask = 20

  func run(label: String) -> SimulationResult {
    let progress = ProgressBar(
      label: label, total: runs, isInteractive: Terminal.isInteractive, at: Monotonic.now())
    let shared = Mutex((result: SimulationResult(), progress: progress))
    let tasks = (runs + Self.runsPerTask - 1) / Self.runsPerTask
    DispatchQueue.concurrentPerform(iterations: tasks) { task in
      let part = simulate(task * Self.runsPerTask..<min(runs, (task + 1) * Self.runsPerTask))
      let line = shared.withLock { shared in
        shared.result = shared.result + part
        return shared.progress.update(done: shared.result.runs, at: Monotonic.now())
      }
      if let line { Terminal.writeNote(line) }
    }
    let (result, finished) = shared.withLock { ($0.result, $0.progress) }
    Terminal.writeNote(finished.finish(done: runs, at: Monotonic.now()))
    return result
  }

  private func simulate(_ numbers: Range<Int>) -> SimulationResult {
    numbers.reduce(into: SimulationResult()) { result, number in
      var simulation = ExperimentSimulation(design, seed: seed, run: number)
      result.runs += 1
      guard let verdict = simulation.run() else { return }
      if verdict.winner == 0 { result.controlWins += 1 } else { result.treatmentWins += 1 }
      result.daysUntilDecided += verdict.day
    }
  }
}
