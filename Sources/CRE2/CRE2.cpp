#include "CRE2.h"

#include <re2/re2.h>

#include <vector>

struct CRE2Pattern {
  RE2 expression;
  CRE2Pattern(re2::StringPiece text, const RE2::Options &options) : expression(text, options) {}
};

CRE2Pattern *cre2_compile(const char *text, size_t length, int64_t memory_max) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(memory_max);
  return new CRE2Pattern(re2::StringPiece(text, length), options);
}

void cre2_free(CRE2Pattern *pattern) { delete pattern; }

const char *cre2_error(const CRE2Pattern *pattern) {
  return pattern->expression.ok() ? nullptr : pattern->expression.error().c_str();
}

int32_t cre2_program_size(const CRE2Pattern *pattern) {
  return pattern->expression.ProgramSize();
}

int32_t cre2_group_count(const CRE2Pattern *pattern) {
  return pattern->expression.NumberOfCapturingGroups();
}

bool cre2_match(
  const CRE2Pattern *pattern, const char *text, size_t length, size_t start, CRE2Range *groups,
  int32_t group_count) {
  std::vector<re2::StringPiece> pieces(group_count);
  if (!pattern->expression.Match(
        re2::StringPiece(text, length), start, length, RE2::UNANCHORED, pieces.data(),
        group_count)) {
    return false;
  }
  for (int32_t index = 0; index < group_count; ++index) {
    const re2::StringPiece &piece = pieces[index];
    groups[index].start = piece.data() == nullptr ? -1 : piece.data() - text;
    groups[index].end = piece.data() == nullptr ? -1 : groups[index].start + piece.size();
  }
  return true;
}
