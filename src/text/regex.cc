// PCRE2 with 8-bit code units. Nothing outside this file sees its types.
#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/unicode.h"

namespace witan {
namespace {

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool compiled_to_machine_code = false;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
};

struct Regex::Search::Buffers {
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  Buffers() = default;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

Regex::Regex(const std::string& pattern, const std::string& where) : code_(std::make_unique<Code>()), where_(where) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code_->code == nullptr) {
    fail("{}: the regular expression {} is not understood at byte {}: {}", where, pattern, offset, message_of(error));
  }
  code_->compiled_to_machine_code = pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE) == 0;
}

Regex::~Regex() = default;

Regex::Search::Search(const Regex& regex) : regex_(regex), buffers_(std::make_unique<Buffers>()) {
  buffers_->data = pcre2_match_data_create(1, nullptr);
  buffers_->context = pcre2_match_context_create(nullptr);
  WITAN_ASSERT(buffers_->data != nullptr && buffers_->context != nullptr);
}

Regex::Search::~Search() = default;

void Regex::Search::start(std::string_view text) {
  // Steps grow with the text for honest patterns; without a limit a malicious one would never end.
  constexpr std::size_t kLeastSteps = 10'000'000;
  constexpr std::size_t kMostSteps = 1'000'000'000;
  if (text.size() > text_.size() || text_.empty()) {
    pcre2_set_match_limit(buffers_->context,
                          static_cast<std::uint32_t>(std::clamp(16 * text.size(), kLeastSteps, kMostSteps)));
  }
  text_ = text;
  from_ = 0;
  last_end_ = 0;
  matched_ = false;
}

bool Regex::Search::next(Match& match) {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text_.data());
  while (from_ <= text_.size()) {
    const pcre2_code* code = regex_.code_->code;
    int status = PCRE2_ERROR_JIT_STACKLIMIT;
    if (regex_.code_->compiled_to_machine_code) {
      status = pcre2_jit_match(code, subject, text_.size(), from_, 0, buffers_->data, buffers_->context);
    }
    if (status == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter keeps its stack in the heap
      status = pcre2_match(code, subject, text_.size(), from_, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, buffers_->data,
                           buffers_->context);
    }
    if (status == PCRE2_ERROR_NOMATCH) break;
    if (status < 0) fail("{}: the regular expression cannot be applied: {}", regex_.where_, message_of(status));
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(buffers_->data);
    if (bounds[0] > bounds[1]) fail("{}: a match of the regular expression ends before it begins", regex_.where_);
    if (bounds[0] == bounds[1] && matched_ && bounds[1] == last_end_) {
      from_ += from_ < text_.size() ? character_length(text_[from_]) : 1;
      continue;
    }
    matched_ = true;
    from_ = last_end_ = bounds[1];
    match = {bounds[0], bounds[1]};
    return true;
  }
  from_ = text_.size() + 1;
  return false;
}

}  // namespace witan
