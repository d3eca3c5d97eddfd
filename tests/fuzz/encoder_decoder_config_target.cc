// config.json of an encoder-decoder whose weights are sound.
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "fuzz/overwrite.h"
#include "fuzz/target.h"
#include "models/encoder_decoder_folder.h"
#include "support/temporary_folder.h"

namespace witan::fuzz {
namespace encoder_decoder_config_fuzz {

const std::filesystem::path kGolden =
    std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints" / "switch_transformers";

std::vector<std::string> seeds() {
  return {
      read_text_file(kGolden / "config.json"),
      R"({"model_type":"nllb-moe","vocab_size":256,"d_model":64,"num_experts":4,"encoder_layers":2,"decoder_layers":2,
"encoder_ffn_dim":96,"decoder_ffn_dim":96,"encoder_attention_heads":4,"decoder_attention_heads":4,"encoder_sparse_step":2,
"decoder_sparse_step":2,"scale_embedding":true,"moe_eval_capacity_token_fraction":1.0,"second_expert_policy":"all"})"};
}

struct Weights {
  Weights() { std::filesystem::copy_file(kGolden / "model.safetensors", folder / "model.safetensors"); }
  test::TemporaryFolder folder;
};

void run(std::string_view input) {
  static const Weights weights;
  overwrite(weights.folder / "config.json", input);
  try {
    load_encoder_decoder(weights.folder.path());
  } catch (const Error&) {
  }
}

}  // namespace encoder_decoder_config_fuzz

Target encoder_decoder_config_target() {
  return {"encoder_decoder_config", encoder_decoder_config_fuzz::seeds, encoder_decoder_config_fuzz::run};
}

}  // namespace witan::fuzz
