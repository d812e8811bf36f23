// futex(2) has no wrapper in glibc, and Swift cannot call the variadic syscall(2).
#ifndef CFUTEX_SHIM_H
#define CFUTEX_SHIM_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>

// As <unistd.h> declares it; including that would make this module the owner of half of glibc.
long syscall(long number, ...);

// Adds one to a word in shared memory and wakes every process and thread that waits for it.
static inline void futex_advance(uint32_t *word) {
  __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, (void *)0, (void *)0, 0);
}

static inline uint32_t futex_load(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

// Returns once the word is no longer `seen`, after the time, or for no reason at all.
static inline void futex_wait_while(const uint32_t *word, uint32_t seen, int64_t nanoseconds) {
  long limit[2] = {nanoseconds / 1000000000, nanoseconds % 1000000000};  // a struct timespec
  syscall(SYS_futex, word, FUTEX_WAIT, seen, limit, (void *)0, 0);
}

#endif
