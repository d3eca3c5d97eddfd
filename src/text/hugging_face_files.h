// The files that let Hugging Face's libraries (and what reads their formats) use a tokenizer of ours.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace witan {

struct SentencePieceModel;
struct TokenizerDocument;

inline constexpr const char* kBeginText = "<s>";
inline constexpr const char* kEndText = "</s>";
inline constexpr const char* kUnknownText = "<unk>";

// Two pieces that become a third; lower ranks merge first. This is how BPE with scores reads as BPE with merge rules:
// a piece can be made from every pair of pieces that it splits into.
struct RankedMerge {
  std::int32_t rank = 0;
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t merged = 0;
};
// Of all normal pieces, ordered by rank. Pieces of the same score share one.
std::vector<RankedMerge> ranked_merges(const SentencePieceModel& model);

// Without an error for what cannot be looked at.
bool file_is_there(const std::filesystem::path& file);

// tokenizer.json, tokenizer_config.json and special_tokens_map.json beside a tokenizer.model. Class LlamaTokenizer.
void save_sentencepiece_json(const std::filesystem::path& folder, const SentencePieceModel& model);
// Whether a tokenizer.json is what save_sentencepiece_json writes for the model, so that it knows nothing besides.
bool is_sentencepiece_document(const TokenizerDocument& document, const SentencePieceModel& model);

// The same for bytes: byte-level BPE without a merge, ids 0 to 255 being the bytes, then bos and eos.
void save_byte_json(const std::filesystem::path& folder, std::int32_t bos_id, std::int32_t eos_id);
// Whether a tokenizer.json is what save_byte_json writes.
bool is_byte_document(const TokenizerDocument& document);

}  // namespace witan
