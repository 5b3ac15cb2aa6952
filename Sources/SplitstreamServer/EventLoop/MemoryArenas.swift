import CEpoll

/// How glibc divides the heap among threads.
enum MemoryArenas {
  /// One for each loop and one for all other threads; to be called before there are any.
  ///
  /// By itself glibc gives up to eight per core to whichever thread comes, and each keeps what its
  /// busiest moment needed. The threads of jobs come and go, so that memory would grow for as long
  /// as a job may still meet one that it has not filled.
  static func limit(loops: Int) { _ = mallopt(M_ARENA_MAX, Int32(loops + 1)) }
}
