#include "CSimdJSON.h"

#include <memory>
#include <new>
#include <simdjson.h>

struct csimdjson_parser {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> implementation;
  std::unique_ptr<uint32_t[]> ends;
  size_t ends_capacity = 0;
  uint32_t stack[CSIMDJSON_DEPTH_MAX];
  csimdjson_parser *next = nullptr;
};

namespace {
// Those of a thread that are not in use: as many as were at work at once, one within the other.
struct idle_parsers {
  csimdjson_parser *first = nullptr;
  ~idle_parsers() {
    while (auto parser = first) {
      first = parser->next;
      delete parser;
    }
  }
};
thread_local idle_parsers idle;
}  // namespace

extern "C" csimdjson_parser *csimdjson_take(void) {
  auto parser = idle.first;
  if (!parser) return new (std::nothrow) csimdjson_parser();
  idle.first = parser->next;
  return parser;
}

extern "C" void csimdjson_give_back(csimdjson_parser *parser) {
  parser->next = idle.first;
  idle.first = parser;
}

extern "C" uint32_t *csimdjson_ends(csimdjson_parser *parser, size_t count) {
  if (parser->ends_capacity < count) {
    size_t capacity = 1024;
    while (capacity < count) capacity *= 2;
    parser->ends.reset(new (std::nothrow) uint32_t[capacity]);
    parser->ends_capacity = parser->ends ? capacity : 0;
  }
  return parser->ends.get();
}

extern "C" uint32_t *csimdjson_stack(csimdjson_parser *parser) { return parser->stack; }

static int64_t code(simdjson::error_code error) {
  switch (error) {
    case simdjson::EMPTY: return CSIMDJSON_EMPTY;
    case simdjson::UTF8_ERROR: return CSIMDJSON_UTF8;
    case simdjson::UNCLOSED_STRING: return CSIMDJSON_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS: return CSIMDJSON_CONTROL_CHARACTER;
    case simdjson::MEMALLOC: return CSIMDJSON_MEMORY;
    case simdjson::CAPACITY: return CSIMDJSON_TOO_LARGE;
    default: return CSIMDJSON_OTHER;
  }
}

extern "C" int64_t csimdjson_stage1(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, const uint32_t **indexes) {
  auto &implementation = parser->implementation;
  if (!implementation || implementation->capacity() < length) {
    // Offsets are of 32 bits; room grows in powers of two so that sizes going up cost little.
    if (length > simdjson::SIMDJSON_MAXSIZE_BYTES - 64) return CSIMDJSON_TOO_LARGE;
    size_t capacity = 4096;
    while (capacity < length) capacity *= 2;
    if (capacity > simdjson::SIMDJSON_MAXSIZE_BYTES) capacity = simdjson::SIMDJSON_MAXSIZE_BYTES;
    implementation.reset();
    // Depth is the walker's to check: stage 1 has none.
    const auto &active = simdjson::get_active_implementation();
    if (auto error = active->create_dom_parser_implementation(capacity, 1, implementation)) {
      implementation.reset();
      return code(error);
    }
  }
  if (auto error = implementation->stage1(bytes, length, simdjson::stage1_mode::regular))
    return code(error);
  *indexes = implementation->structural_indexes.get();
  return implementation->n_structural_indexes;
}
