import Testing

@testable import SplitstreamServer

/// When the sample ratio warns, and when it must keep silent.
@Suite("Statistics: sample ratio")
struct SampleRatioTests {
  @Test("a sequential warning stays when the counts come right again")
  func latch() {
    let bad = SampleRatio([WeightPhase(weights: [50, 50], counts: [6000, 5000])])
    #expect(bad.isWarning && bad.sequentialP <= 0.001)
    let good = [WeightPhase(weights: [50, 50], counts: [60_000, 60_000])]
    #expect(!SampleRatio(good).isWarning)
    let later = SampleRatio(good, previousP: bad.sequentialP)
    #expect(later.isWarning && later.sequentialP == bad.sequentialP)
    #expect(later.pValue == 1)
  }

  @Test("the χ² warning does not latch")
  func fixedLook() {
    let counts = [10_000, 10_480]
    let now = SampleRatio([WeightPhase(weights: [50, 50], counts: counts)])
    #expect((now.pValue ?? 1) < 0.001 && now.sequentialP > 0.001 && now.isWarning)
    let later = SampleRatio(
      [WeightPhase(weights: [50, 50], counts: [20_000, 20_200])], previousP: now.sequentialP)
    #expect(!later.isWarning)
  }

  @Test("a unit in an arm of weight 0 is impossible")
  func impossible() {
    let ratio = SampleRatio([WeightPhase(weights: [50, 50, 0], counts: [500, 500, 1])])
    #expect(ratio.pValue == 0)
    #expect(ratio.isWarning)
    #expect(ratio.degreesOfFreedom == 1)
    // However few they are.
    #expect(SampleRatio([WeightPhase(weights: [50, 50, 0], counts: [2, 1, 1])]).isWarning)
    #expect(!SampleRatio([WeightPhase(weights: [50, 50, 0], counts: [500, 500, 0])]).isWarning)
  }

  @Test("thin phases are left out while another qualifies, and alone they cannot warn")
  func thin() {
    let thin = WeightPhase(weights: [50, 50], counts: [8, 0])
    let full = WeightPhase(weights: [50, 50], counts: [1000, 1010])
    let alone = SampleRatio([thin])
    #expect(!alone.isReliable && !alone.isWarning && alone.degreesOfFreedom == 1)
    let both = SampleRatio([thin, full])
    #expect(both.isReliable && both.degreesOfFreedom == 1)
    #expect(both.chiSquared == SampleRatio([full]).chiSquared)
    // The sequential test takes every unit.
    #expect(both.logE != SampleRatio([full]).logE)
  }

  @Test("nothing to compare is no answer")
  func silent() {
    for phases in [
      [], [WeightPhase(weights: [50, 50], counts: [0, 0])],
      [WeightPhase(weights: [100, 0], counts: [700, 0])],
    ] {
      let ratio = SampleRatio(phases)
      #expect(ratio.chiSquared == nil && ratio.pValue == nil && ratio.degreesOfFreedom == 0)
      #expect(ratio.logE == 0 && ratio.sequentialP == 1 && !ratio.isWarning && !ratio.isReliable)
    }
  }
}
