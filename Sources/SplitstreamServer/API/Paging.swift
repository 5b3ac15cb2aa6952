/// Lists: newest first, `limit` 1–200 (default 50), `cursor` as the page before gave it.
enum Paging {
  static let limitDefault = 50
  static let limitMax = 200

  /// Query parameters by name, and the page they ask for, read with one more row than asked: the sign of a next page.
  static func read(_ request: Request) throws -> (query: [String: String], page: Page) {
    let query = Dictionary(try request.queryItems().map { ($0.name, $0.value) }) { first, _ in first }
    var problems: [FieldProblem] = []
    var limit = limitDefault
    if let text = query["limit"] {
      if let number = decimal(text), (1...limitMax).contains(number) {
        limit = number
      } else {
        problems.append(FieldProblem(pointer: "/query/limit", detail: "must be a whole number from 1 to \(limitMax)"))
      }
    }
    var before: ULID?
    if let text = query["cursor"] {
      before = ULID(text)
      if before == nil {
        problems.append(
          FieldProblem(pointer: "/query/cursor", detail: "must be the next_cursor of an earlier page"))
      }
    }
    guard problems.isEmpty else { throw APIError.validation(problems) }
    return (query, Page(before: before, limit: limit + 1))
  }

  /// `{"data": […], "next_cursor": …}` of the rows read for `page`.
  static func response<Item: JSONWritable>(_ items: [Item], _ page: Page, id: (Item) -> ULID) -> Response {
    let shown = items.prefix(page.limit - 1)
    var json = JSONWriter(bytesReserved: 4096)
    json.object { json in
      json.member("data", array: shown) { $1.write(to: &$0) }
      json.member("next_cursor", items.count > shown.count ? shown.last.map { id($0).text } : nil)
    }
    return .json(json.bytes)
  }

  /// ASCII digits only, few enough to be a number.
  private static func decimal(_ text: String) -> Int? {
    guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
  }
}
