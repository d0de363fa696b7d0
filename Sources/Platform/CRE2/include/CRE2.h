// A C shim for RE2, which is C++: patterns and texts are octets (Latin-1), and no exception leaves it. No policy here.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled pattern. Matching changes nothing that a caller sees; RE2 locks its caches of states itself.
typedef struct weir_re2 weir_re2;

/// Compiled patterns that are looked for at once.
typedef struct weir_re2_set weir_re2_set;

/// What came of a call.
enum {
    WEIR_RE2_NO_MATCH = 0,
    WEIR_RE2_MATCH = 1,
    /// There was not enough memory, or RE2's bound on it was met: nothing is known of the text.
    WEIR_RE2_EXHAUSTED = -1,
};

/// Why a pattern was refused: RE2's own numbers where they say more than that it did.
enum {
    WEIR_RE2_COMPILED = 0,
    WEIR_RE2_MALFORMED = 1,
    WEIR_RE2_PERL_SYNTAX = 2,
    WEIR_RE2_BAD_ESCAPE = 3,
    WEIR_RE2_BAD_REPETITION = 4,
    WEIR_RE2_TOO_LARGE = 5,
};

/// Compiles a pattern of `length` octets within `memory` octets: NULL when there is no memory for the object. What was
/// refused is an object too: it has `weir_re2_error` and must not be matched.
weir_re2 *weir_re2_new(const uint8_t *pattern, size_t length, int64_t memory);
void weir_re2_free(weir_re2 *expression);

/// One of the reasons above.
int weir_re2_error(const weir_re2 *expression);
/// RE2's words for it, and the part of the pattern that it is about; they live as long as the object.
const char *weir_re2_error_message(const weir_re2 *expression);
const char *weir_re2_error_part(const weir_re2 *expression, size_t *length);

/// Capturing groups, without the whole match.
int weir_re2_group_count(const weir_re2 *expression);
/// The name of a group from 1 on, or NULL; it lives as long as the object.
const char *weir_re2_group_name(const weir_re2 *expression, int group);
/// Instructions of the compiled program, of those of both directions the larger number.
int weir_re2_program_size(const weir_re2 *expression);

/// Octets that every text begins with of which the pattern is the whole: how many, at most `capacity`, and written to
/// `prefix`. More may be common to all.
size_t weir_re2_prefix(const weir_re2 *expression, uint8_t *prefix, size_t capacity);

/// Looks for the pattern in `text`, from `from` on: as the whole of the text if `whole` is not 0, else wherever it is
/// first. `offsets` gets the start and the end of the match, and of the groups behind it, of `count` in all, up to
/// WEIR_RE2_RANGES_MAX: both are -1 for a group that took no part. With a count of 0 it may be NULL, which is quickest.
#define WEIR_RE2_RANGES_MAX 33
int weir_re2_match(const weir_re2 *expression, const uint8_t *text, size_t length, size_t from, int whole,
                   int32_t *offsets, size_t count);

/// A set without patterns, within `memory` octets; NULL when there is no memory for the object.
weir_re2_set *weir_re2_set_new(int64_t memory);
void weir_re2_set_free(weir_re2_set *set);
/// Adds what a pattern of its own was made of; patterns are numbered from 0 on. 1 on success.
int weir_re2_set_add(weir_re2_set *set, const weir_re2 *expression);
/// Ends the additions: 1 on success, 0 when the memory does not suffice for the patterns.
int weir_re2_set_compile(weir_re2_set *set);
/// Which patterns are the whole of `text`: their numbers in no order, up to `capacity`, which is at least the number of
/// patterns. `count` is how many.
int weir_re2_set_match(const weir_re2_set *set, const uint8_t *text, size_t length, int32_t *numbers, size_t capacity,
                       size_t *count);

#ifdef __cplusplus
}
#endif
