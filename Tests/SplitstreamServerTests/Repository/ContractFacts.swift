@testable import SplitstreamServer

/// Compares openapi.json with the facts of the published contract: all that it promises must still
/// be true.
///
/// A request may be asked for less and a response may promise more, never the other way round.
struct ContractFacts {
  let facts: JSONValue
  let document: OpenAPIDocument

  /// Limits of requests that the contract does not state, each with its reason.
  static let ownLimits: [String: String] = [
    "createEnvironment/slug": "slugs become part of keys",
    "createEnvironment/name": "a bounded text", "createMetric/name": "a bounded text",
    "createMetric/event_key": "events have keys of this form only",
    "createMetric/unit_dedup_window": "a bounded text",
    "createMetric/property_path": "a bounded text",
    "createExperiment/name": "a bounded text", "updateExperiment/name": "a bounded text",
    "createExperiment/hypothesis": "a bounded text",
    "updateExperiment/hypothesis": "a bounded text",
    "createExperiment/variants/description": "a bounded text",
    "updateExperiment/variants/description": "a bounded text",
    "stopExperiment/outcome_notes": "a bounded text", "createApiKey/name": "a bounded text",
    "logExposure/unit_id": "the same as everywhere else",
    "assignBatch/unit_id": "the same as everywhere else",
    "createMutexGroup/key": "keys have one form everywhere",
    "createMutexGroup/name": "a bounded text",
  ]

  private static let limits = [
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format",
  ]

  enum Direction {
    case request, response
  }

  /// What the contract says of an operation that openapi.json has, and openapi.json does not keep.
  var breaches: [String] {
    (facts["operations"].map { Array($0.elements) } ?? []).flatMap { fact -> [String] in
      guard let id = fact["operationId"]?.string, let ours = document.operation(id) else {
        return []
      }
      return compare(fact, ours, id)
    }
  }

  private func compare(_ fact: JSONValue, _ ours: OpenAPIDocument.Operation, _ id: String)
    -> [String]
  {
    var breaches: [String] = []
    if fact["path"]?.string != ours.path || fact["method"]?.string != ours.method {
      breaches.append("\(id): \(ours.method) \(ours.path)")
    }
    if fact["secured"]?.bool == (ours.definition["security"]?.elements.isEmpty ?? false) {
      breaches.append("\(id): security")
    }
    for parameter in fact["parameters"].map({ Array($0.elements) }) ?? [] {
      breaches += self.parameter(parameter, ours, id)
    }
    if let request = fact["request"] {
      breaches += content(request, ours.definition["requestBody"], .request, id)
    }
    for (status, response) in fact["responses"].map({ Array($0.members) }) ?? [] {
      guard let declared = ours.definition["responses"]?[member: status].map(document.resolved)
      else {
        breaches.append("\(id): no status \(status)")
        continue
      }
      breaches += content(response, declared, .response, "\(id) \(status)")
      for (header, _) in response["headers"].map({ Array($0.members) }) ?? []
      where declared["headers"]?[member: header] == nil {
        breaches.append("\(id) \(status): no header \(header)")
      }
    }
    return breaches
  }

  private func parameter(
    _ fact: JSONValue, _ ours: OpenAPIDocument.Operation, _ id: String
  ) -> [String] {
    let found = ours.parameters.first {
      $0["name"]?.string == fact["name"]?.string && $0["in"]?.string == fact["in"]?.string
    }
    let place = "\(id)?\(fact["name"]?.string ?? "")"
    guard let found, let theirs = fact["schema"], let schema = found["schema"] else {
      return ["\(place): missing"]
    }
    let isRequired = found["required"]?.bool ?? false
    return (isRequired == fact["required"]?.bool ? [] : ["\(place): required"])
      + self.schema(theirs, schema, .request, place)
  }

  private func content(
    _ fact: JSONValue, _ ours: JSONValue?, _ direction: Direction, _ place: String
  ) -> [String] {
    guard let type = fact["contentType"]?.string, let theirs = fact["schema"] else { return [] }
    guard let schema = ours?["content"]?[member: type]?["schema"] else {
      return ["\(place): no \(type)"]
    }
    return self.schema(theirs, schema, direction, place)
  }
}

// MARK: Schemas
extension ContractFacts {
  func schema(
    _ theirs: JSONValue, _ ours: JSONValue, _ direction: Direction, _ place: String
  ) -> [String] {
    let theirs = Flat(theirs) { reference in SchemaValidator(document: facts).resolve(reference) }
    let ours = Flat(ours) { reference in SchemaValidator(document: document.root).resolve(reference)
    }
    var breaches = types(theirs, ours, direction, place)
    for keyword in ["enum", "const", "default"] where theirs[keyword] != nil {
      if set(theirs[keyword]) != set(ours[keyword]) { breaches.append("\(place): \(keyword)") }
    }
    for keyword in Self.limits {
      let stated = theirs[keyword].map { set($0) }
      let kept = stated == ours[keyword].map { set($0) }
      let isOwn = stated == nil && (direction == .response || Self.ownLimits[place] != nil)
      if !kept && !isOwn { breaches.append("\(place): \(keyword)") }
    }
    let required =
      direction == .request
      ? ours.required.subtracting(theirs.required) : theirs.required.subtracting(ours.required)
    breaches += required.sorted().map { "\(place): required \($0)" }
    for (name, inner) in theirs.properties {
      if let mine = ours.properties[name] {
        breaches += schema(inner, mine, direction, "\(place)/\(name)")
      } else {
        breaches.append("\(place): no property \(name)")
      }
    }
    for keyword in ["items", "additionalProperties"] {
      guard let inner = theirs[keyword], inner.kind == .object else { continue }
      breaches +=
        ours[keyword].map { schema(inner, $0, direction, place) } ?? ["\(place): no \(keyword)"]
    }
    if theirs["additionalProperties"]?.bool == true, ours["additionalProperties"]?.bool != true {
      breaches.append("\(place): additionalProperties")
    }
    return breaches
  }

  private func types(
    _ theirs: Flat, _ ours: Flat, _ direction: Direction, _ place: String
  ) -> [String] {
    let (stated, kept) = (theirs.types, ours.types)
    let fits = direction == .request ? kept.isSuperset(of: stated) : kept.isSubset(of: stated)
    return fits && !kept.isEmpty ? [] : ["\(place): type \(kept.sorted()) for \(stated.sorted())"]
  }

  private func set(_ value: JSONValue?) -> Set<String> { value?.texts ?? [] }

  /// A schema with its references followed and its `allOf` joined.
  private struct Flat {
    private(set) var keywords: [String: JSONValue] = [:]
    private(set) var properties: [String: JSONValue] = [:]
    private(set) var required: Set<String> = []
    /// Those that it says itself, or those of its alternatives.
    private(set) var types: Set<String> = []

    init(_ schema: JSONValue, resolve: (String) -> JSONValue?) {
      join(schema, resolve)
    }

    subscript(keyword: String) -> JSONValue? { keywords[keyword] }

    private mutating func join(_ schema: JSONValue, _ resolve: (String) -> JSONValue?) {
      if let target = schema["$ref"]?.string.flatMap(resolve) { join(target, resolve) }
      for part in schema["allOf"].map({ Array($0.elements) }) ?? [] { join(part, resolve) }
      for choice in schema["oneOf"].map({ Array($0.elements) }) ?? [] {
        types.formUnion(Flat(choice, resolve: resolve).types)
      }
      for (name, value) in schema.members { keywords[name] = value }
      if let type = schema["type"] { types = type.texts }
      for (name, value) in schema["properties"].map({ Array($0.members) }) ?? [] {
        properties[name] = value
      }
      required.formUnion(schema["required"].map { $0.elements.compactMap(\.string) } ?? [])
    }
  }
}

extension JSONValue {
  /// The texts of one value or of an array's.
  fileprivate var texts: Set<String> {
    let values = kind == .array ? Array(elements) : [self]
    return Set(values.map { String(decoding: $0.source, as: UTF8.self) })
  }
}
