// tokenizer.json, as load_tokenizer meets it in a folder.
#include "base/error.h"
#include "base/file.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"
#include "text/tokenizer.h"

namespace witan::fuzz {
namespace {

std::vector<std::string> seeds() {
  const test::TemporaryFolder folder;
  make_byte_tokenizer()->save(folder.path());
  return {read_text_file(folder / "tokenizer.json"), R"({"model":{"type":"BPE","vocab":{},"merges":[]}})"};
}

void run(std::string_view input) {
  static const test::TemporaryFolder folder;
  overwrite(folder / "tokenizer.json", input);
  try {
    require(load_tokenizer(folder.path())->vocab_size() == 258, "a foreign tokenizer taken for bytes");
  } catch (const Error&) {
  }
}

}  // namespace

Target tokenizer_json_target() { return {"tokenizer_json", seeds, run}; }

}  // namespace witan::fuzz
