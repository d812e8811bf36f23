// simdjson's stage 1 alone: where a JSON text's structure is, and whether it is valid UTF-8.
#ifndef CSIMDJSON_H
#define CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct csimdjson_parser csimdjson_parser;

enum {
  CSIMDJSON_EMPTY = -1,
  CSIMDJSON_UTF8 = -2,
  CSIMDJSON_UNCLOSED_STRING = -3,
  CSIMDJSON_CONTROL_CHARACTER = -4,
  CSIMDJSON_MEMORY = -5,
  CSIMDJSON_TOO_LARGE = -6,
  CSIMDJSON_OTHER = -7,
};

// One that nobody on this thread uses; NULL where memory is out. What a parse needs is the thread's
// and not the reader's: a process has thousands of readers and a few threads.
csimdjson_parser *csimdjson_take(void);
// Keeps it for the thread's next text.
void csimdjson_give_back(csimdjson_parser *parser);

// Room for so many numbers, undefined, until the next call with this parser; NULL where memory is
// out.
uint32_t *csimdjson_ends(csimdjson_parser *parser, size_t count);
// Room for a number a level.
#define CSIMDJSON_DEPTH_MAX 1024
uint32_t *csimdjson_stack(csimdjson_parser *parser);

// Finds the structural indexes of bytes[0 ..< length]: of each bracket, colon and comma, and of
// the first byte of each scalar. The bytes need no padding.
// Returns their number, or one of the errors above; *indexes then holds them, followed by one
// entry of the value length, until the next call with this parser.
int64_t csimdjson_stage1(
    csimdjson_parser *parser, const uint8_t *bytes, size_t length, const uint32_t **indexes);

#ifdef __cplusplus
}
#endif

#endif
