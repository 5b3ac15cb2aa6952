/// A Redis Cluster for the code of one loop: a pipeline to each node that is needed. Loop-owned.
///
/// A call goes to the node that is known to have the slot of its keys and follows the cluster's
/// word from there, a bounded number of times.
final class RedisClusterPipeline: RedisLoopClient {
  private let address: RedisAddress
  private let scripts: [RedisScript]
  private let timeoutSeconds: Double
  private let replicasMin: Int
  private let loop: EventLoop
  private var routes: RedisRoutes
  private var pipelines: [RedisRoutes.Node: RedisPipeline] = [:]
  private var watcher: ((RedisPipeline, RedisPipeline.Event) -> Void)?

  /// - Parameter address: any node; the others are heard of from it.
  init(
    to address: RedisAddress, scripts: [RedisScript], timeoutSeconds: Double, replicasMin: Int,
    on loop: EventLoop
  ) {
    self.address = address
    self.scripts = scripts
    self.timeoutSeconds = timeoutSeconds
    self.replicasMin = replicasMin
    self.loop = loop
    routes = RedisRoutes(seed: address.endpoint)
    _ = pipeline(to: address.endpoint)
  }

  var isConnected: Bool { routes.inUse.allSatisfy { pipelines[$0]?.isConnected == true } }

  func watch(_ body: @escaping (RedisPipeline, RedisPipeline.Event) -> Void) { watcher = body }

  func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) async throws(RedisError) -> RedisReply {
    let slot = RedisSlot.of(keys[0])
    var hop = RedisRoutes.Hop(node: routes.node(of: slot))
    var failure = RedisError.unavailable("not connected")
    for _ in 0..<RedisRoutes.hopsMax {
      if hop.pauseSeconds > 0 { await pause(hop.pauseSeconds) }
      do throws(RedisError) {
        return try await pipeline(to: hop.node).evaluate(
          script, keys: keys, arguments: arguments, isAsking: hop.isAsking)
      } catch {
        failure = error
      }
      guard let next = routes.hop(after: failure, from: hop.node, slot: slot) else { break }
      hop = next
    }
    throw failure
  }

  func close() {
    for pipeline in pipelines.values { pipeline.close() }
  }

  private func pipeline(to node: RedisRoutes.Node) -> RedisPipeline {
    if let known = pipelines[node] { return known }
    let pipeline = RedisPipeline(
      to: address.moved(to: node), scripts: scripts, timeoutSeconds: timeoutSeconds,
      replicasMin: replicasMin, on: loop)
    pipelines[node] = pipeline
    pipeline.watch { [weak self] pipeline, event in
      guard let self else { return }
      if event == .connected { learn(from: node, pipeline) }
      watcher?(pipeline, event)
    }
    return pipeline
  }

  /// Hears of the other nodes, for the time when the known ones are gone.
  private func learn(from node: RedisRoutes.Node, _ pipeline: RedisPipeline) {
    let confined = LoopConfined((self, pipeline), to: loop)
    Task.immediate(executorPreference: loop) {
      let (cluster, pipeline) = confined.value
      if let map = try? await pipeline.command(RedisRoutes.map) {
        cluster.routes.learn(map, from: node)
      }
    }
  }

  private func pause(_ seconds: Double) async {
    await withUnsafeContinuation { continuation in
      loop.schedule(afterSeconds: seconds) { continuation.resume() }
    }
  }
}
