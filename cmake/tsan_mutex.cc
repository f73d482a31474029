// Linked into every program that is built with ThreadSanitizer. Debian's Abseil is not, so the sanitizer does
// not see what absl::Mutex orders and reports everything behind one as a race. These definitions stand before
// the library's: they call it, and say who came after whom. A condition is evaluated by whichever thread
// holds the mutex in the library's own account of it, so its reads are left out.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace {

// Calls the library's function of this symbol.
template <typename Result, typename... Args>
Result Library(const char* symbol, Args... args) {
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  struct End {
    ~End() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
  } end;
  return reinterpret_cast<Result (*)(Args...)>(dlsym(RTLD_NEXT, symbol))(args...);
}

// The same around a function that gives the mutex up while it waits.
template <typename Result, typename... Args>
Result LibraryWait(absl::Mutex* mutex, const char* symbol, Args... args) {
  __tsan_release(mutex);
  struct Acquire {
    ~Acquire() { __tsan_acquire(mutex); }
    absl::Mutex* mutex;
  } acquire{mutex};
  return Library<Result>(symbol, args...);
}

}  // namespace

#define MUTEX "_ZN4absl7debian35Mutex"
#define CONDVAR "_ZN4absl7debian37CondVar"

void absl::Mutex::Lock() {
  Library<void>(MUTEX "4LockEv", this);
  __tsan_acquire(this);
}

void absl::Mutex::ReaderLock() {
  Library<void>(MUTEX "10ReaderLockEv", this);
  __tsan_acquire(this);
}

bool absl::Mutex::TryLock() {
  const bool locked = Library<bool>(MUTEX "7TryLockEv", this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void absl::Mutex::LockWhen(const Condition& condition) {
  Library<void>(MUTEX "8LockWhenERKNS0_9ConditionE", this, &condition);
  __tsan_acquire(this);
}

void absl::Mutex::Unlock() {
  __tsan_release(this);
  Library<void>(MUTEX "6UnlockEv", this);
}

void absl::Mutex::ReaderUnlock() {
  __tsan_release(this);
  Library<void>(MUTEX "12ReaderUnlockEv", this);
}

void absl::Mutex::Await(const Condition& condition) {
  LibraryWait<void>(this, MUTEX "5AwaitERKNS0_9ConditionE", this, &condition);
}

bool absl::Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  return LibraryWait<bool>(this, MUTEX "16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE", this, &condition,
                           timeout);
}

bool absl::Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  return LibraryWait<bool>(this, MUTEX "17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE", this, &condition,
                           deadline);
}

void absl::CondVar::Wait(Mutex* mutex) {
  LibraryWait<void>(mutex, CONDVAR "4WaitEPNS0_5MutexE", this, mutex);
}

bool absl::CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  return LibraryWait<bool>(mutex, CONDVAR "15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE", this, mutex,
                           timeout);
}

bool absl::CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  return LibraryWait<bool>(mutex, CONDVAR "16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE", this, mutex, deadline);
}
