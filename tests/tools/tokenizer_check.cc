// tokenizer_check TOKENIZER.json EXPECTED.json: compares the ids and the text of every case with what another
// implementation gave. One line per section with the cases that agree; exit code 1 when one does not, and the first of
// those is shown. Not a test by itself: those of tests/tokenizers run it.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace {

using witan::SpecialTokens;

std::string shown(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// What the stream of a list says, piece by piece.
std::string streamed(const witan::Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  const auto stream = tokenizer.stream(SpecialTokens::kKeep);
  std::string text;
  for (const std::int32_t id : ids) text += stream->push(id);
  return text + stream->finish();
}

struct Section {
  const char* name;
  int passed = 0;
  int cases = 0;
  std::string first_difference = {};

  template <class Value, class Show>
  void compare(const std::string& text, const Value& ours, const Value& expected, const Show& show) {
    ++cases;
    if (ours == expected) {
      ++passed;
    } else if (first_difference.empty()) {
      first_difference =
          fmt::format("  text:     {}\n  expected: {}\n  ours:     {}\n", shown(text), show(expected), show(ours));
    }
  }
};

int check(const char* file, const char* expected_file) {
  const auto tokenizer = witan::load_tokenizer_json(file);
  const nlohmann::json expected = witan::read_json_file(expected_file);
  Section ids{"ids"};
  Section with_special{"ids_with_special"};
  Section decoded{"decoded"};
  Section stream{"streamed"};
  const auto list = [](const std::vector<std::int32_t>& values) { return fmt::format("{}", fmt::join(values, " ")); };
  for (const nlohmann::json& one : expected.at("cases")) {
    const auto text = one.at("text").get<std::string>();
    const auto wanted = one.at("ids").get<std::vector<std::int32_t>>();
    ids.compare(text, tokenizer->encode(text), wanted, list);
    if (one.contains("ids_with_special")) {
      with_special.compare(text, tokenizer->encode_with_special(text),
                           one["ids_with_special"].get<std::vector<std::int32_t>>(), list);
    }
    if (one.contains("decoded")) {
      const auto wanted_text = one["decoded"].get<std::string>();
      decoded.compare(text, tokenizer->decode(wanted, SpecialTokens::kKeep), wanted_text, shown);
      stream.compare(text, streamed(*tokenizer, wanted), wanted_text, shown);
    }
  }
  bool all = ids.cases > 0;
  for (const Section& section : {ids, with_special, decoded, stream}) {
    const bool good = section.passed == section.cases;
    all = all && good;
    fmt::print("{:<17} {} {} of {}\n{}", section.name, good ? "pass" : "FAIL", section.passed, section.cases,
               section.first_difference);
  }
  return all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: tokenizer_check TOKENIZER.json EXPECTED.json\n");
    return 2;
  }
  try {
    return check(argv[1], argv[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tokenizer_check: {}\n", error.what());
    return 2;
  }
}
