#define _GNU_SOURCE
#include "FaultyDisk.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls = 0;
static atomic_long kill_at = 0;
static atomic_long fill_at = 0;

void faulty_disk_kill_at(long call) { kill_at = calls + call; }
void faulty_disk_fill_at(long call) { fill_at = calls + call; }
long faulty_disk_calls(void) { return calls; }

/// Counts an operation; dies before the one that was chosen.
static void enter(void) {
  long call = atomic_fetch_add(&calls, 1) + 1;
  long limit = kill_at;
  if (limit > 0 && call >= limit) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

/// Whether a write up to `end` finds the disk full: what is overwritten needs no space.
static int is_full(int file, off_t end) {
  long limit = fill_at;
  struct stat status;
  if (limit == 0 || calls < limit || fstat(file, &status) != 0) return 0;
  if (!S_ISREG(status.st_mode) || end <= status.st_size) return 0;
  errno = ENOSPC;
  return 1;
}

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  enter();
  return is_full(file, offset + count) ? -1 : REAL(pwrite, file, bytes, count, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  enter();
  return is_full(file, offset + count) ? -1 : REAL(pwrite64, file, bytes, count, offset);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  enter();
  off_t end = lseek(file, 0, SEEK_CUR);
  for (int index = 0; index < count; index++) end += parts[index].iov_len;
  return is_full(file, end) ? -1 : REAL(writev, file, parts, count);
}
ssize_t write(int file, const void *bytes, size_t count) {
  // Standard output and error are no disk.
  if (file <= 2) return REAL(write, file, bytes, count);
  enter();
  return is_full(file, lseek(file, 0, SEEK_CUR) + count) ? -1 : REAL(write, file, bytes, count);
}
int fdatasync(int file) {
  enter();
  return REAL(fdatasync, file);
}
int fsync(int file) {
  enter();
  return REAL(fsync, file);
}
int rename(const char *from, const char *to) {
  enter();
  return REAL(rename, from, to);
}
int ftruncate(int file, off_t length) {
  enter();
  return REAL(ftruncate, file, length);
}
