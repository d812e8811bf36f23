// futex(2) has no wrapper in glibc, and Swift cannot call the variadic syscall(2).
#ifndef CFUTEX_SHIM_H
#define CFUTEX_SHIM_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>

// As <unistd.h> declares it; including that would make this module the owner of half of glibc.
long syscall(long number, ...);

static inline void futex_add(uint32_t *word) {
  __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
}

// Adds one to a word in shared memory and wakes every process and thread that waits for it.
static inline void futex_advance(uint32_t *word) {
  futex_add(word);
  syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, (void *)0, (void *)0, 0);
}

// As futex_advance, but wakes only those that wait with one of the bits.
static inline void futex_wake(uint32_t *word, uint32_t bits) {
  futex_add(word);
  syscall(SYS_futex, word, FUTEX_WAKE_BITSET, INT32_MAX, (void *)0, (void *)0, bits);
}

static inline uint32_t futex_load(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

// Returns once the word is no longer `seen`, after the time, or for no reason at all.
static inline void futex_wait_while(
    const uint32_t *word, uint32_t seen, int64_t nanoseconds, uint32_t bits) {
  long until[2];  // a struct timespec of CLOCK_MONOTONIC, by which FUTEX_WAIT_BITSET counts
  if (syscall(SYS_clock_gettime, 1, until) != 0) return;
  until[0] += nanoseconds / 1000000000;
  until[1] += nanoseconds % 1000000000;
  if (until[1] >= 1000000000) {
    until[0] += 1;
    until[1] -= 1000000000;
  }
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, until, (void *)0, bits);
}

#endif
