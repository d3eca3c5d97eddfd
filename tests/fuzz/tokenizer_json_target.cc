// tokenizer.json, as load_tokenizer meets it in a folder.
#include "base/error.h"
#include "base/file.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace witan::fuzz {
namespace tokenizer_json_fuzz {

// Each part of the format once: a byte-level model, one like SentencePiece's, and the other two.
std::vector<std::string> seeds() {
  const test::TemporaryFolder folder;
  make_byte_tokenizer()->save(folder.path());
  return {
      read_text_file(folder / "tokenizer.json"),
      R"({"added_tokens":[{"content":"<s>","lstrip":true,"special":true,"normalized":false}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Prepend","prepend":"_"},
{"type":"Replace","pattern":{"String":" "},"content":"_"}]},"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},
{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},"post_processor":{"type":"TemplateProcessing",
"single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[3]}}},
"model":{"type":"BPE","unk_token":"u","byte_fallback":true,"fuse_unk":true,"vocab":{"u":0,"a":1,"_":2,"<s>":3,"_a":4,
"<0xC3>":5},"merges":["_ a"]}})",
      R"({"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{L}+|[^\\s]{1,3}"},
"behavior":"Isolated"},{"type":"Metaspace","replacement":"_","prepend_scheme":"first"},{"type":"Digits","individual_digits":true}]},
"decoder":{"type":"Metaspace","replacement":"_"},"model":{"type":"Unigram","unk_id":0,"vocab":[["u",0],["a",-1.5],["_a",-2]]}})",
      R"({"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece"},
"post_processor":{"type":"BertProcessing","sep":["s",1],"cls":["c",2]},"model":{"type":"WordPiece","unk_token":"u",
"vocab":{"u":0,"a":1,"##b":2}}})"};
}

void run(std::string_view input) {
  static const test::TemporaryFolder folder;
  overwrite(folder / "tokenizer.json", input);
  try {
    const auto tokenizer = load_tokenizer(folder.path());
    for (const char* text : {"", "a b_a", "<s> ab\u00e9\n12", "\xff\u732b"}) {
      const std::vector<std::int32_t> ids = tokenizer->encode_with_special(text);
      for (const std::int32_t id : ids) {
        require(id >= 0 && id < tokenizer->vocab_size(), "an id outside of the vocabulary");
        tokenizer->token_bytes(id);
      }
      const auto stream = tokenizer->stream();
      std::string streamed;
      for (const std::int32_t id : ids) streamed += stream->push(id);
      streamed += stream->finish();
      require(streamed == replace_invalid_utf8(tokenizer->decode(ids)), "a stream that is not the text");
    }
  } catch (const Error&) {
  }
}

}  // namespace tokenizer_json_fuzz

Target tokenizer_json_target() { return {"tokenizer_json", tokenizer_json_fuzz::seeds, tokenizer_json_fuzz::run}; }

}  // namespace witan::fuzz
