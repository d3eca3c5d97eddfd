// Training text: plain, JSON lines, both also as gzip. The first byte of an input chooses.
#include <array>

#include "base/error.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/text_folder.h"
#include "text/utf8.h"
#include "training/text_files.h"

namespace witan::fuzz {
namespace text_documents_fuzz {

constexpr std::array kNames = {"input.txt", "input.jsonl", "input.txt.gz", "input.jsonl.gz"};

std::vector<std::string> seeds() {
  const std::string text = "\xEF\xBB\xBFplain text, ä 日本\n\nin lines\n";
  const std::string lines = "{\"text\": \"one\"}\n\n{\"text\": \"two \\u00e4\", \"id\": [1, 2]}\r\n{\"text\": \"\"}";
  return {"\0" + text,
          "\1" + lines,
          "\2" + test::gzipped(text),
          "\3" + test::gzipped(lines) + test::gzipped(lines),
          std::string(1, '\4') + "broken \xFF text",
          std::string(1, '\0') + text};
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<unsigned char>(input.front());
  const bool lossy = (choice & 4U) != 0;
  try {
    for (const std::string& document : parse_documents(std::string(input.substr(1)), kNames.at(choice & 3U), lossy)) {
      require(!document.empty(), "an empty document");
      require(find_invalid_utf8(document) == std::string::npos, "a document that is no UTF-8");
    }
  } catch (const Error&) {
  }
}

}  // namespace text_documents_fuzz

Target text_documents_target() { return {"text_documents", text_documents_fuzz::seeds, text_documents_fuzz::run}; }

}  // namespace witan::fuzz
