// Shows the thread sanitizer what Swift's Mutex does when two threads want it at once.
//
// A Mutex that nobody else wants is locked and unlocked by code inlined into ours, which is
// instrumented. Otherwise libswiftSynchronization asks the kernel, and that is not: the sanitizer
// would not see that one holder comes before the next, and report a race in what the Mutex guards.
// This library, preloaded before that one, does what it does and tells the sanitizer of it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

// A Mutex lives in place: `self` of its methods is the address of the word that inlined code locks.
#define METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) uint32_t *self

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// The sanitizer's runtime is part of the tests' program; weak, for their children have none.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

static METHOD void (*lock_slow)(uint32_t thread, SELF);
static METHOD void (*unlock_slow)(SELF);

__attribute__((constructor)) static void find_originals(void) {
  lock_slow = dlsym(RTLD_NEXT, LOCK_SLOW);
  unlock_slow = dlsym(RTLD_NEXT, UNLOCK_SLOW);
}

METHOD void watched_lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
METHOD void watched_lock_slow(uint32_t thread, SELF) {
  lock_slow(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

METHOD void watched_unlock_slow(SELF) __asm__(UNLOCK_SLOW);
METHOD void watched_unlock_slow(SELF) {
  if (__tsan_release) __tsan_release(self);
  unlock_slow(self);
}
