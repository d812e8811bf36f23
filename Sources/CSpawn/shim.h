// What glibc declares under _GNU_SOURCE only, which Swift's Glibc module is built without.
#ifndef CSPAWN_SHIM_H
#define CSPAWN_SHIM_H

int pipe2(int ends[2], int flags);

// The actions are a posix_spawn_file_actions_t; including <spawn.h> would make this module its owner.
int posix_spawn_file_actions_addchdir_np(void *actions, const char *directory);
int posix_spawn_file_actions_addclosefrom_np(void *actions, int first);

#endif
