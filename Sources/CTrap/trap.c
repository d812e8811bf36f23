#define _GNU_SOURCE
#include "CTrap.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread const ctrap_site *current_site;
static __thread int64_t current_offset;
static __thread int64_t current_unit;

static const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
// What was in force before, by signal.
static struct sigaction before[65];

void ctrap_enter(const ctrap_site *site, int64_t offset, int64_t unit) {
  current_offset = offset;
  current_unit = unit;
  // The handler runs on this thread: it sees the site last.
  __atomic_signal_fence(__ATOMIC_RELEASE);
  current_site = site;
}

void ctrap_leave(void) { current_site = NULL; }

static const size_t stack_size = 64 * 1024;

void *ctrap_begin_thread(void) {
  stack_t old;
  if (sigaltstack(NULL, &old) != 0 || !(old.ss_flags & SS_DISABLE)) return NULL;
  stack_t stack = {.ss_sp = malloc(stack_size), .ss_flags = 0, .ss_size = stack_size};
  if (stack.ss_sp && sigaltstack(&stack, NULL) != 0) {
    free(stack.ss_sp);
    return NULL;
  }
  return stack.ss_sp;
}

void ctrap_end_thread(void *stack) {
  if (!stack) return;
  stack_t none = {.ss_sp = NULL, .ss_flags = SS_DISABLE, .ss_size = 0};
  sigaltstack(&none, NULL);
  free(stack);
}

// Appends a number and a character. Only what POSIX lets a handler do is done here.
static size_t append_number(char *line, size_t length, int64_t number, char end) {
  char digits[20];
  size_t count = 0;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do digits[count++] = (char)('0' + rest % 10);
  while ((rest /= 10) > 0);
  if (number < 0) line[length++] = '-';
  while (count > 0) line[length++] = digits[--count];
  line[length++] = end;
  return length;
}

// Whether a thread's own doing raised the signal: one that somebody sent says nothing of the unit.
// `abort` sends its own, as the runtime does for a failed cast.
static int is_own(int signal, const siginfo_t *info) {
  return info->si_code > 0
         || (signal == SIGABRT && info->si_code == SI_TKILL && info->si_pid == getpid());
}

static void handle(int signal, siginfo_t *info, void *context) {
  (void)context;
  const ctrap_site *site = current_site;
  if (site && is_own(signal, info)) {
    current_site = NULL;
    char line[1024];
    size_t length = 0;
    for (const char *byte = site->prefix; *byte && length < sizeof(line) - 64; byte++) {
      line[length++] = *byte;
    }
    length = append_number(line, length, current_offset, '\t');
    length = append_number(line, length, current_unit, '\n');
    int file = open(site->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (file >= 0) {
      // It is lost where it cannot be written: the process ends all the same.
      if (write(file, line, length) == (ssize_t)length) fsync(file);
      close(file);
    }
  }
  // The instruction is run again, and now as if nobody had looked; x86 would go on behind a trap.
  sigaction(signal, &before[signal], NULL);
  if (info->si_code <= 0 || signal == SIGTRAP) raise(signal);
}

void ctrap_install(void) {
  static int installed;
  if (installed) return;
  installed = 1;
  for (size_t index = 0; index < sizeof(signals) / sizeof(signals[0]); index++) {
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(signals[index], &action, &before[signals[index]]);
  }
}
