/// An audience with a name, for the audiences of many experiments.
struct Segment: Equatable, Sendable {
  static let keyLengthMax = 128

  let id: ULID
  let workspaceID: ULID
  let key: String
  let name: String
  let audience: Audience
  let createdAt: Timestamp
  let updatedAt: Timestamp
}
