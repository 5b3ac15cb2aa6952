import Testing

@testable import SplitstreamServer

extension RunningServer {
  /// What the audit log says was done to `target`, newest first.
  func auditedActions(on target: String) async throws -> [String] {
    let reply = try await call(.listAudit, query: "target_id=\(target)")
    return reply.json["data"]?.elements.compactMap { $0["action"]?.string } ?? []
  }
}
