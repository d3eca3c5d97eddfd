// Raw bytes as tokens: 0 to 255, then bos and eos. Nothing to learn, and longer sequences.
#include "base/error.h"
#include "text/hugging_face_files.h"
#include "text/tokenizer.h"

namespace witan {
namespace {

class ByteTokenizer : public Tokenizer {
 public:
  std::int64_t vocab_size() const override { return kEos + 1; }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size());
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string token_bytes(std::int32_t id) const override {
    WITAN_ASSERT(id >= 0 && id < vocab_size());
    return id < kBos ? std::string(1, static_cast<char>(id)) : std::string();
  }
  std::int32_t bos_id() const override { return kBos; }
  std::int32_t eos_id() const override { return kEos; }
  void save(const std::filesystem::path& folder) const override { save_byte_json(folder, kBos, kEos); }

 private:
  static constexpr std::int32_t kBos = 256;
  static constexpr std::int32_t kEos = 257;
};

}  // namespace

std::unique_ptr<Tokenizer> make_byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

}  // namespace witan
