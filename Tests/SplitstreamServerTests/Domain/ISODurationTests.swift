import Testing

@testable import SplitstreamServer

/// The grammar of durations: what is read, and what has no fixed length and is refused.
@Suite("ISO duration")
struct ISODurationTests {
  @Test(
    "durations of the grammar",
    arguments: [
      ("P7D", 604_800_000_000), ("P1W", 604_800_000_000), ("PT0S", 0), ("P0D", 0),
      ("PT36H", 129_600_000_000), ("P1DT2H3M4S", 93_784_000_000), ("PT0.5S", 500_000),
      ("PT1M", 60_000_000), ("P1DT0.000001S", 86_400_000_001), ("PT001H", 3_600_000_000),
      // Less than a microsecond is one: times cannot be closer, but for equal ones.
      ("PT0.0000001S", 1), ("PT0.1234560S", 123_456),
    ])
  func reads(text: String, microseconds: Int) {
    #expect(ISODuration(text)?.microseconds == microseconds)
  }

  @Test(
    "everything else is refused",
    arguments: [
      "", "P", "PT", "P1DT", "7D", "p7d", "P7d", " P7D", "P7D ", "P1W2D", "P1WT1H", "P1Y", "P1M",
      "P-7D", "-P7D", "+P7D", "P+7D", "P7", "PD", "P1.5D", "PT1.5H", "PT1.S", "PT.5S", "PT1,5S",
      "PT1S1M", "PT1H1H", "P1H", "PT1D", "P1D1H", "PT1HT1M", "P٧D", "P7D\0",
      "P99999999999999999999D", "P106751992D", "PT9223372036855S",
    ])
  func refuses(text: String) {
    #expect(ISODuration(text) == nil)
  }
}
