/// Lists: newest first, `limit` 1–200 (default 50), `cursor` as the page before gave it.
enum Paging {
  static let limitDefault = 50
  static let limitMax = 200

  /// The page that a request asks for, of a list that takes no other parameters.
  static func read(_ request: Request, limitMax: Int = limitMax) throws -> Page {
    var query = try QueryReader(request)
    let page = query.page(limitMax: limitMax)
    try query.finish()
    return page
  }

  /// `{"data": […], "next_cursor": …}` of the rows read for `page`.
  static func response<Item: JSONWritable>(_ items: [Item], _ page: Page, id: (Item) -> ULID)
    -> Response
  {
    let shown = items.prefix(page.limit - 1)
    var json = JSONWriter(bytesReserved: 4096)
    json.object { json in
      json.member("data", array: shown) { $1.write(to: &$0) }
      json.member("next_cursor", items.count > shown.count ? shown.last.map { id($0).text } : nil)
    }
    return .json(json.bytes)
  }
}
