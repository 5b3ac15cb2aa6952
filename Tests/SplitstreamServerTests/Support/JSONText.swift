@testable import SplitstreamServer

extension JSONValue {
  /// A document written in a test.
  init(text: String, depthMax: Int = 64) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), depthMax: depthMax)
  }
}
