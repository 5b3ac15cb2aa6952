/// A new API key in clear: shown once, then only its hashes are kept.
struct KeySecret: Sendable {
  let prefix: String
  let text: String

  /// `ss_{srv|clt}_{env}_{secret}` with 256 random bits or more.
  init(kind: APIKey.Kind, environmentSlug: String?) {
    prefix = APIKey.prefix(kind, environmentSlug: environmentSlug)
    text = prefix + "_" + Sodium.randomSecret()
  }

  var lastFour: String { String(text.suffix(4)) }
}
