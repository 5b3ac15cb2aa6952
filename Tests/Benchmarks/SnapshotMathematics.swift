import Glibc

/// What the mathematics of one snapshot costs, from counts to the decision and its reasons, on one
/// core: prints the microseconds for 2 and for 10 arms. `bench_analysis.py` compiles it together
/// with the pure folders.
@main enum SnapshotMathematics {
  static func main() {
    for arms in [2, 10] {
      let inputs = inputs(arms: arms)
      let count = 200
      var times: [Double] = []
      for _ in 0..<9 {
        let start = processorMicroseconds()
        for _ in 0..<count {
          precondition(SnapshotAnalysis.analyse(inputs).metrics[0].perVariant.count == arms)
        }
        times.append((processorMicroseconds() - start) / Double(count))
      }
      print("\(arms) \(Int(times.sorted()[times.count / 2]))")
    }
  }

  private static func inputs(arms: Int) -> SnapshotInputs {
    let counts = (0..<arms).map { BinaryCounts(units: 10_000, conversions: 1_000 + 5 * $0) }
    let weights = (0..<arms).map { _ in 100 / arms }
    return SnapshotInputs(
      variants: weights.indices.map {
        SnapshotVariant(key: "v\($0)", weight: weights[$0], isControl: $0 == 0)
      },
      phases: [WeightPhase(weights: weights, counts: counts.map(\.units))],
      metrics: [MetricInputs(key: "purchase", sample: .binary(counts))], rule: DecisionRule())
  }

  /// Of this thread: what else runs on the machine does not count.
  private static func processorMicroseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
  }
}
