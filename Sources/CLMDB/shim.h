#include <fcntl.h>
#include <lmdb.h>

// O_DIRECT, which fcntl.h shows only to sources that ask for GNU's extensions.
static const int directIO = __O_DIRECT;
