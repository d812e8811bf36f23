// What is needed inside a signal's handler, where no Swift code may run.
#ifndef CFAULT_SHIM_H
#define CFAULT_SHIM_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

// What was in force before, by signal: memory faults of other origin go there.
static inline struct sigaction *cfault_before(int signal) {
  static struct sigaction before[65];
  return &before[signal];
}

static inline uintptr_t cfault_instruction(void *context) {
  ucontext_t *state = (ucontext_t *)context;
#if defined(__x86_64__)
  return (uintptr_t)state->uc_mcontext.gregs[16];  // REG_RIP, which needs _GNU_SOURCE
#elif defined(__aarch64__)
  return (uintptr_t)state->uc_mcontext.pc;
#else
  (void)state;
  return 0;
#endif
}

// A line of /proc/self/maps: whether it is of `address` and its path holds `name`. Gives the path.
static inline const char *cfault_match(const char *line, uintptr_t address, const char *name) {
  uintptr_t ends[2] = {0, 0};
  for (int index = 0; index < 2; index++) {
    for (; *line && *line != '-' && *line != ' '; line++) {
      ends[index] = ends[index] * 16 + (uintptr_t)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
    }
    if (*line) line++;
  }
  if (address < ends[0] || address >= ends[1]) return 0;
  const char *path = strchr(line, '/');
  return path && strstr(path, name) ? path : 0;
}

// Ends the process with a line that names a damaged data file, if the fault is LMDB's or at an
// address of a file that it has mapped; anything else is as it was.
static inline void cfault_handle(int signal, siginfo_t *info, void *context) {
  static char line[4096 + 512];
  size_t length = 0;
  const char *path = 0;
  int is_library = 0;
  char byte;
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  while (maps >= 0 && !path && read(maps, &byte, 1) == 1) {
    if (byte != '\n') {
      if (length < sizeof(line) - 1) line[length++] = byte;
      continue;
    }
    line[length] = 0;
    length = 0;
    path = cfault_match(line, (uintptr_t)info->si_addr, "/data.mdb");
    if (!path && cfault_match(line, cfault_instruction(context), "/liblmdb")) is_library = 1;
  }
  if (!path && !is_library) {
    sigaction(signal, cfault_before(signal), 0);
    // An instruction faults again; one that somebody sent does not come again by itself.
    if (info->si_code <= 0) raise(signal);
    return;
  }
  const char *parts[] = {
    "error: a data file is damaged", path ? " (" : "", path ? path : "", path ? ")" : "",
    "; rebuild that state, or restore that log from a copy\n",
  };
  for (int index = 0; index < 5; index++) {
    if (write(STDERR_FILENO, parts[index], strlen(parts[index])) < 0) break;
  }
  _exit(5);
}

static inline void cfault_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = cfault_handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, cfault_before(SIGSEGV));
  sigaction(SIGBUS, &action, cfault_before(SIGBUS));
}

#endif
