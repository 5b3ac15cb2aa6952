/// Why a request is refused, in the API's terms. `ProblemDetails` gives each its status.
enum APIError: Error, Equatable {
  /// No key, a malformed one, an unknown one or a revoked one: the caller is not told which.
  case unauthorized
  /// The key may not do this at all; what it may not see is `notFound`.
  case forbidden(String)
  /// There is none that this key may see. Names the kind of thing.
  case notFound(String)
  case conflict(String)
  /// The experiment has changed since the version that If-Match names.
  case preconditionFailed(String)
  /// `occurred_at` is more than 30 days ago.
  case eventTooOld
  case validation([FieldProblem])
  case malformedJSON(JSONError)
  case unsupportedMediaType
  /// Accepted events wait to be analysed and did not come through in time.
  case notDrained
}
