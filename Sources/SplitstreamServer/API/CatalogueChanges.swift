/// Tells this process's catalogue of a change it has just committed, so that the caller's next
/// request sees it. Other processes hear of it from PostgreSQL.
struct CatalogueChanges: Sendable {
  /// Returns when every loop of this process has the change.
  let apply: @Sendable (CatalogueChange) async -> Void

  init(apply: @escaping @Sendable (CatalogueChange) async -> Void) {
    self.apply = apply
  }
}
