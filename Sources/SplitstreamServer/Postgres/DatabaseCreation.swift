/// The SQL with which a new cluster gets its database, for PostgreSQL's single-user mode.
enum DatabaseCreation {
  /// - Parameter name: a plain identifier of our own; it is not quoted.
  static func script(_ name: String) -> String { "CREATE DATABASE \(name);\n" }
}
