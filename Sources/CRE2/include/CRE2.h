#ifndef CRE2_H
#define CRE2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled regular expression of RE2; matching it is safe from any thread.
typedef struct CRE2Pattern CRE2Pattern;

/// Where a group lies in the text; `start` is -1 where the group took no part.
typedef struct {
  int64_t start;
  int64_t end;
} CRE2Range;

/// Compiles UTF-8 `text`; never NULL, to be freed. Ask `cre2_error` whether it is one.
CRE2Pattern *cre2_compile(const char *text, size_t length, int64_t memory_max);
void cre2_free(CRE2Pattern *pattern);

/// What is wrong with the pattern, NULL where nothing is; valid as long as the pattern.
const char *cre2_error(const CRE2Pattern *pattern);

/// How many steps the compiled program has.
int32_t cre2_program_size(const CRE2Pattern *pattern);

/// How many capturing groups the pattern has.
int32_t cre2_group_count(const CRE2Pattern *pattern);

/// Looks for the first match in `text` from byte `start` on, and fills `group_count` groups, the
/// whole match being group 0; in time linear in the length.
bool cre2_match(
  const CRE2Pattern *pattern, const char *text, size_t length, size_t start, CRE2Range *groups,
  int32_t group_count);

#ifdef __cplusplus
}
#endif

#endif
