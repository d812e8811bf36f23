#include <xxhash.h>

// Asks for the cache line of an address that is looked at soon; Swift has no word for it.
static inline void cxxhash_prefetch(const void *address) { __builtin_prefetch(address); }
