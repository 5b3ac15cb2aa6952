/// An interval of values of a metric, both ends included; credible or confidence as its owner says.
struct Interval: Equatable, Sendable {
  let lower: Double
  let upper: Double
}
