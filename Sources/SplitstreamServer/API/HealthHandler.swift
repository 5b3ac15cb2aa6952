/// `GET /v1/healthz`: is the process up? It says nothing of the stores behind it.
struct HealthHandler: OpenHandler {
  private let response: Response

  init(version: String) {
    var json = JSONWriter()
    json.object { json in
      json.member("status", "ok")
      json.member("version", version)
    }
    response = .json(json.bytes)
  }

  func answer(_ request: Request) -> Response { response }
}
