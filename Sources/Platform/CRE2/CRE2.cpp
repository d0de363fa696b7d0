#include "CRE2.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <re2/re2.h>
#include <re2/set.h>

// A function catches all that RE2 and the containers in it may throw (std::bad_alloc): frames of Swift cannot be unwound.

namespace {

RE2::Options options(int64_t memory) {
    RE2::Options chosen;
    chosen.set_encoding(RE2::Options::EncodingLatin1);
    chosen.set_dot_nl(true);
    chosen.set_never_nl(false);
    chosen.set_longest_match(false);
    chosen.set_log_errors(false);
    chosen.set_max_mem(memory);
    return chosen;
}

// An empty text has an address too: RE2 takes a text without one for what did not take part in a match.
re2::StringPiece piece(const uint8_t *octets, size_t length) {
    return length == 0 ? re2::StringPiece("", 0) : re2::StringPiece(reinterpret_cast<const char *>(octets), length);
}

}  // namespace

struct weir_re2 {
    weir_re2(const uint8_t *pattern, size_t length, int64_t memory)
        : expression(piece(pattern, length), options(memory)) {
        if (!expression.ok()) return;
        // RE2 compiles the program for the other direction and collects the names when they are first asked for: now.
        int forward = expression.ProgramSize(), reverse = expression.ReverseProgramSize();
        program_size = reverse < 0 ? -1 : std::max(forward, reverse);
        expression.CapturingGroupNames();
    }

    RE2 expression;
    int program_size = -1;
};

struct weir_re2_set {
    explicit weir_re2_set(int64_t memory) : set(options(memory), RE2::ANCHOR_BOTH) {}

    RE2::Set set;
};

extern "C" {

weir_re2 *weir_re2_new(const uint8_t *pattern, size_t length, int64_t memory) try {
    return new weir_re2(pattern, length, memory);
} catch (...) {
    return nullptr;
}

void weir_re2_free(weir_re2 *expression) { delete expression; }

int weir_re2_error(const weir_re2 *expression) {
    switch (expression->expression.error_code()) {
    case RE2::NoError:
        // Without its reverse program a pattern could be looked for only at many times the cost.
        return expression->program_size < 0 ? WEIR_RE2_TOO_LARGE : WEIR_RE2_COMPILED;
    case RE2::ErrorPatternTooLarge: return WEIR_RE2_TOO_LARGE;
    case RE2::ErrorBadPerlOp: return WEIR_RE2_PERL_SYNTAX;
    case RE2::ErrorBadEscape: return WEIR_RE2_BAD_ESCAPE;
    case RE2::ErrorRepeatSize: return WEIR_RE2_BAD_REPETITION;
    default: return WEIR_RE2_MALFORMED;
    }
}

const char *weir_re2_error_message(const weir_re2 *expression) {
    return expression->expression.error().c_str();
}

const char *weir_re2_error_part(const weir_re2 *expression, size_t *length) {
    const std::string &part = expression->expression.error_arg();
    *length = part.size();
    return part.data();
}

int weir_re2_group_count(const weir_re2 *expression) { return expression->expression.NumberOfCapturingGroups(); }

const char *weir_re2_group_name(const weir_re2 *expression, int group) try {
    const std::map<int, std::string> &names = expression->expression.CapturingGroupNames();
    auto found = names.find(group);
    return found == names.end() ? nullptr : found->second.c_str();
} catch (...) {
    return nullptr;
}

int weir_re2_program_size(const weir_re2 *expression) { return expression->program_size; }

size_t weir_re2_prefix(const weir_re2 *expression, uint8_t *prefix, size_t capacity) try {
    // All matches lie between two texts in the order of octets, so they share what these two begin with.
    std::string least, greatest;
    if (!expression->expression.PossibleMatchRange(&least, &greatest, static_cast<int>(capacity))) return 0;
    size_t count = 0;
    while (count < capacity && count < least.size() && count < greatest.size() && least[count] == greatest[count]) {
        prefix[count] = static_cast<uint8_t>(least[count]);
        count++;
    }
    return count;
} catch (...) {
    return 0;
}

int weir_re2_match(const weir_re2 *expression, const uint8_t *text, size_t length, size_t from, int whole,
                   int32_t *offsets, size_t count) try {
    if (!expression->expression.ok() || from > length || length > INT32_MAX || count > WEIR_RE2_RANGES_MAX)
        return WEIR_RE2_EXHAUSTED;
    re2::StringPiece content = piece(text, length);
    re2::StringPiece found[WEIR_RE2_RANGES_MAX];
    RE2::Anchor anchor = whole ? RE2::ANCHOR_BOTH : RE2::UNANCHORED;
    if (!expression->expression.Match(content, from, length, anchor, found, static_cast<int>(count)))
        return WEIR_RE2_NO_MATCH;
    for (size_t index = 0; index < count; index++) {
        bool took_part = found[index].data() != nullptr;
        int32_t start = took_part ? static_cast<int32_t>(found[index].data() - content.data()) : -1;
        offsets[2 * index] = start;
        offsets[2 * index + 1] = took_part ? start + static_cast<int32_t>(found[index].size()) : -1;
    }
    return WEIR_RE2_MATCH;
} catch (...) {
    return WEIR_RE2_EXHAUSTED;
}

weir_re2_set *weir_re2_set_new(int64_t memory) try {
    return new weir_re2_set(memory);
} catch (...) {
    return nullptr;
}

void weir_re2_set_free(weir_re2_set *set) { delete set; }

int weir_re2_set_add(weir_re2_set *set, const weir_re2 *expression) try {
    return set->set.Add(expression->expression.pattern(), nullptr) >= 0;
} catch (...) {
    return 0;
}

int weir_re2_set_compile(weir_re2_set *set) try {
    return set->set.Compile();
} catch (...) {
    return 0;
}

int weir_re2_set_match(const weir_re2_set *set, const uint8_t *text, size_t length, int32_t *numbers, size_t capacity,
                       size_t *count) try {
    *count = 0;
    std::vector<int> found;
    RE2::Set::ErrorInfo error;
    if (!set->set.Match(piece(text, length), &found, &error))
        return error.kind == RE2::Set::kNoError ? WEIR_RE2_NO_MATCH : WEIR_RE2_EXHAUSTED;
    if (found.size() > capacity) return WEIR_RE2_EXHAUSTED;
    for (size_t index = 0; index < found.size(); index++) numbers[index] = found[index];
    *count = found.size();
    return WEIR_RE2_MATCH;
} catch (...) {
    return WEIR_RE2_EXHAUSTED;
}

}  // extern "C"
