// generation_config.json: how a decoder and how an encoder-decoder is asked to generate.
#include <cmath>

#include "base/error.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "inference/generation_config.h"
#include "models/checkpoint_folder.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan::fuzz {
namespace generation_config_fuzz {

std::vector<std::string> seeds() {
  return {R"({"eos_token_id":[2,5],"do_sample":true,"temperature":0.6,"top_k":20,"top_p":0.9,"min_p":0.1})",
          R"({"eos_token_id":1,"do_sample":false,"repetition_penalty":1.1})",
          R"({"num_beams":4,"length_penalty":0.8,"early_stopping":"never","max_length":200,"forced_bos_token_id":7})",
          R"({"max_new_tokens":12,"temperature":null,"early_stopping":true})",
          R"({"max_length":40,"stop_strings":["a","b"],"no_repeat_ngram_size":3,"suppress_tokens":[1,2]})"};
}

struct Model {
  Model() { save_model(Decoder(test::tiny_config(), 1), folder.path()); }
  test::TemporaryFolder folder;
};

void run(std::string_view input) {
  static const Model model;
  overwrite(model.folder / "generation_config.json", input);
  try {
    const DecoderConfig config = load_config(model.folder.path());
    for (const std::int64_t id : config.eos_token_ids) require(id >= 0, "a negative end token");
  } catch (const Error&) {
  }
  try {
    SamplingOptions sampling;
    read_generation_defaults(model.folder.path(), {}, sampling);
    const Sampler valid(sampling);
  } catch (const Error&) {
  }
  try {
    GenerationOptions options;
    read_generation_ends(model.folder.path(), {}, options);
    require(options.max_tokens >= 1 && options.max_length >= 0, "an output without a token");
    for (const std::string& text : options.stop_strings) require(!text.empty(), "an empty stop string");
  } catch (const Error&) {
  }
  try {
    SamplingOptions sampling;
    TranslationOptions options;
    read_translation_defaults(model.folder.path(), {}, sampling, options);
    require(options.max_tokens >= 1 && options.beams.beams >= 1, "an output without a token or a beam");
    require(std::isfinite(options.beams.length_penalty), "a length penalty that is no number");
  } catch (const Error&) {
  }
}

}  // namespace generation_config_fuzz

Target generation_config_target() {
  return {"generation_config", generation_config_fuzz::seeds, generation_config_fuzz::run};
}

}  // namespace witan::fuzz
