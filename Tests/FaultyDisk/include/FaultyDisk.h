#ifndef FAULTY_DISK_H
#define FAULTY_DISK_H

/// Lets the disk fail from outside of the engine: what this file defines takes the place of the C
/// library's calls in the whole executable, liblmdb included.

/// From now on, kills the process before the `call`th disk operation (the first is 1).
void faulty_disk_kill_at(long call);
/// From now on, what makes a file longer finds the disk full, from the `call`th disk operation on.
void faulty_disk_fill_at(long call);
/// Disk operations so far.
long faulty_disk_calls(void);

#endif
