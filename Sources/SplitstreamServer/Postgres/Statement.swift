/// A piece of SQL with a name, prepared once per connection and executed with parameters.
///
/// One name always means one text. Integer parameters travel as 8 bytes, so where the server would
/// infer a smaller type the SQL says so: `$1::bigint`.
struct Statement: Sendable {
  let name: String
  let sql: String
}
