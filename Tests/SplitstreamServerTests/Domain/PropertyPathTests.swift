import Testing

@testable import SplitstreamServer

/// The subset of JSONPath that a metric may name.
@Suite("Property path")
struct PropertyPathTests {
  @Test(
    "chains of member names",
    arguments: [
      ("$.value", ["value"]), ("$.order.total", ["order", "total"]),
      ("$.order['total price']", ["order", "total price"]), (#"$["a"].b"#, ["a", "b"]),
      (#"$['it\'s']['\\']"#, ["it's", #"\"#]), ("$._x1", ["_x1"]), ("$.größe", ["größe"]),
      ("$['']", [""]), ("$['a.b']", ["a.b"]),
    ])
  func reads(text: String, keys: [String]) {
    #expect(PropertyPath(text)?.keys == keys)
  }

  @Test(
    "everything else is refused",
    arguments: [
      "", "$", "value", ".value", "$value", "$.", "$..value", "$.*", "$[*]", "$[0]", "$['a'",
      "$['a", "$[a]", "$['a']b", "$.a b", "$.1a", "$.a.", "$[?(@.a)]", #"$['\n']"#, "$ .a", "$.a ",
      "$['a','b']",
    ])
  func refuses(text: String) {
    #expect(PropertyPath(text) == nil)
  }
}
