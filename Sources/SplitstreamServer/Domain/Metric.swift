/// What an experiment is judged by: a kind of event, and how a unit's events become its value.
struct Metric: Equatable, Sendable {
  enum Kind: String, CaseIterable, Sendable { case binary, count, revenue, duration }
  enum Aggregation: String, CaseIterable, Sendable { case sum, mean, count }
  /// Which way is better.
  enum Direction: String, CaseIterable, Sendable { case increase, decrease }

  let id: ULID
  let workspaceID: ULID
  let definition: MetricDefinition
}

/// The part of a metric that its author writes.
struct MetricDefinition: Equatable, Sendable {
  var key: String
  var name: String
  var eventKey: String
  var kind: Metric.Kind
  var aggregation = Metric.Aggregation.count
  /// ISO 8601; a unit's second event within the window does not count again.
  var unitDedupWindow = "P7D"
  var propertyPath: PropertyPath?
  var desiredDirection = Metric.Direction.increase
}
