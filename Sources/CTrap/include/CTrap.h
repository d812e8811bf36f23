// Remembers which unit each thread runs, and writes it down where user code ends the process.
#ifndef CTRAP_H
#define CTRAP_H

#include <stdint.h>

// What is the same for many units. Its strings are not changed or freed while a thread is inside.
typedef struct {
  // Where the lines go.
  const char *path;
  // A line's first fields: generation, task and input, each with a tab behind it.
  const char *prefix;
} ctrap_site;

// The calling thread runs user code for a unit.
void ctrap_enter(const ctrap_site *site, int64_t offset, int64_t unit);
// It does so no longer.
void ctrap_leave(void);
// Gives the calling thread a stack for its signals, so that one that ran out of its own is noticed;
// what is returned belongs to ctrap_end_thread, by the same thread.
void *ctrap_begin_thread(void);
void ctrap_end_thread(void *stack);
// From now on SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE and SIGABRT first append the unit of their
// thread, and then go where they went before. Handlers that are installed later go first.
void ctrap_install(void);

#endif
