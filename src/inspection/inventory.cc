// Config, headers and tokenizer side by side.
#include "inspection/inventory.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/stored_values.h"
#include "inference/plan.h"
#include "models/arch/architecture.h"
#include "models/arch/encoder_decoder_architecture.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "models/parameter_counts.h"
#include "models/released_files.h"
#include "models/stored_weights.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"
#include "text/utf8.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

// Adds a layer, and its parameters to the shares of the whole.
void add_layer(LayerInventory layer, const LayerParameters& size, Inventory& inventory) {
  const bool mixture = layer.experts > 0;
  const std::int64_t common = size.attention + (mixture ? size.shared + size.routing : size.dense);
  layer.parameters = {common + layer.experts * size.expert, common + layer.experts_per_token * size.expert};
  ParameterShares& shares = inventory.shares;
  shares.attention += size.attention;
  shares.experts += layer.experts * size.expert;
  shares.shared += mixture ? size.shared : 0;
  shares.routing += mixture ? size.routing : 0;
  shares.dense += mixture ? 0 : size.dense;
  inventory.layers.push_back(std::move(layer));
}

std::string attention_text(const DecoderConfig& config) {
  if (config.is_latent()) {
    return fmt::format("latent, {} heads, keys and values through {} dimensions", config.num_attention_heads,
                       config.kv_lora_rank);
  }
  std::string text = fmt::format("{} heads of {}", config.num_attention_heads, config.dim_per_head());
  if (config.num_key_value_heads != config.num_attention_heads) {
    text += fmt::format(", {} of keys and values", config.num_key_value_heads);
  }
  if (config.sliding_window > 0) {
    text += fmt::format(", a window of {}{}", config.sliding_window,
                        config.full_attention_layers.empty() ? "" : " in some layers");
  }
  return text + (config.attention_sinks ? ", sinks" : "");
}

void describe(const DecoderConfig& config, Precision weights, Inventory& inventory) {
  inventory.summary = find_architecture(config.model_type).summary;
  inventory.hidden_size = config.hidden_size;
  inventory.vocab_size = config.vocab_size;
  inventory.context = config.max_positions();
  inventory.attention = attention_text(config);
  inventory.tied_embeddings = config.tie_word_embeddings;
  if (config.num_moe_layers() > 0) {
    inventory.routing =
        fmt::format("{}, {} of {} experts", config.moe.router, config.moe.num_experts_per_tok, config.moe.num_experts);
  }
  const LayerParameters size = layer_parameters(config);
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const bool mixture = config.is_moe_layer(i);
    LayerInventory layer;
    layer.stack = "decoder";
    layer.layer = i;
    layer.experts = mixture ? config.moe.num_experts : 0;
    layer.experts_per_token = mixture ? config.moe.num_experts_per_tok : 0;
    layer.width = mixture ? config.moe.moe_intermediate_size : config.intermediate_size;
    layer.shared_width = mixture ? config.moe.shared_width() : 0;
    layer.window = config.window_of_layer(i);
    add_layer(std::move(layer), size, inventory);
  }
  inventory.shares.outside = parameters_outside_layers(config);
  const RunPlan plan = plan_run(config, 1, weights);
  inventory.parameters = plan.parameters;
  inventory.memory = {std::string(precision_name(weights)), plan.weight_bytes, plan.cache_bytes,
                      plan.cache_bytes * inventory.context, plan.bytes_per_token};
}

void describe(const EncoderDecoderConfig& config, Inventory& inventory) {
  inventory.encoder_decoder = true;
  inventory.summary = find_encoder_decoder(config.model_type)->summary;
  inventory.hidden_size = config.hidden_size;
  inventory.vocab_size = config.vocab_size;
  inventory.attention =
      fmt::format("{} heads of {} in the encoder, {} of {} in the decoder; {} positions", config.encoder.num_heads,
                  config.encoder.head_dim, config.decoder.num_heads, config.decoder.head_dim,
                  config.has_relative_positions() ? "relative" : "sinusoidal");
  inventory.tied_embeddings = config.tie_word_embeddings;
  const CapacityRouting& routing = config.routing;
  const auto add_stack = [&](const char* name, const StackConfig& stack, const LayerParameters& size) {
    for (std::int64_t i = 0; i < stack.num_layers(); ++i) {
      const bool mixture = stack.sparse[static_cast<std::size_t>(i)];
      LayerInventory layer;
      layer.stack = name;
      layer.layer = i;
      layer.experts = mixture ? config.num_experts : 0;
      layer.experts_per_token = mixture ? routing.choices : 0;
      layer.width = stack.intermediate_size;
      add_layer(std::move(layer), size, inventory);
    }
  };
  add_stack("encoder", config.encoder, encoder_layer_parameters(config));
  add_stack("decoder", config.decoder, decoder_layer_parameters(config));
  inventory.shares.outside = parameters_outside_layers(config);
  if (inventory.mixture_layers() > 0) {
    inventory.routing =
        fmt::format("{} of {} experts, {}", routing.choices, config.num_experts,
                    routing.capacity_fraction > 0.0
                        ? fmt::format("each for {:.3g} % of the tokens at the most", 100.0 * routing.capacity_fraction)
                        : fmt::format("each for {} tokens at the most", routing.capacity));
  }
  // The decoder's own keys and values; those of the source are as many per position of the source.
  const RunPlan plan = plan_run(config, 0, 1, 1);
  inventory.parameters = plan.parameters;
  inventory.memory.weights = plan.weight_bytes;
  inventory.memory.per_position = plan.cache_bytes;
  inventory.memory.read_per_token = plan.bytes_per_token;
}

// Whether a tensor is the scales of another, and no weight of its own.
bool is_scale(const std::string& name, const StoredValues& values) {
  constexpr std::string_view kScales = "_scales";
  if (name.ends_with("_scale_inv")) return true;
  return name.ends_with(kScales) && values.is_mxfp4(name.substr(0, name.size() - kScales.size()));
}

std::string kind_of(const std::string& name, const StoredTensor& tensor, const StoredValues& values) {
  for (const std::string_view part : {"_blocks", "_scales"}) {
    if (name.ends_with(part) && values.is_mxfp4(name.substr(0, name.size() - part.size()))) return "MXFP4";
  }
  return std::string(dtype_name(tensor.dtype));
}

Storage storage_of(const SafetensorsReader& reader, const StoredValues& values) {
  Storage storage;
  std::map<std::string, StoredKind> kinds;
  std::set<std::string> files;
  for (const auto& [name, tensor] : reader.tensors()) {
    StoredKind& kind = kinds[kind_of(name, tensor, values)];
    kind.tensors += 1;
    kind.bytes += static_cast<std::int64_t>(tensor.bytes.size());
    storage.tensors += 1;
    storage.bytes += static_cast<std::int64_t>(tensor.bytes.size());
    files.insert(tensor.file);
  }
  storage.files = static_cast<std::int64_t>(files.size());
  for (auto& [name, kind] : kinds) {
    kind.dtype = name;
    storage.kinds.push_back(std::move(kind));
  }
  std::ranges::stable_sort(storage.kinds, std::ranges::greater(), &StoredKind::bytes);
  return storage;
}

void read_headers(const fs::path& folder, Inventory& inventory) {
  if (!has_weights(folder)) {
    inventory.notes.emplace_back("the folder holds no weights (*.safetensors)");
    return;
  }
  const WeightFiles files(folder, read_config_file(folder));
  const SafetensorsReader& reader = files.reader();
  const StoredValues& values = files.values();
  inventory.storage = storage_of(reader, values);
  double stored = values.count();
  for (const auto& [name, tensor] : reader.tensors()) {
    if (is_scale(name, values)) stored -= static_cast<double>(tensor.numel());
  }
  const auto promised = static_cast<double>(inventory.parameters.total);
  if (stored < promised) {
    fail("{}: {} describes a model of {:.0f} parameters, but the files hold {:.0f}", folder.string(), kConfigFile,
         promised, stored);
  }
  if (stored > promised) {
    inventory.notes.push_back(
        fmt::format("the files hold {:.0f} numbers more than the model has parameters: copies, buffers, or layers that "
                    "are not used",
                    stored - promised));
  }
}

void read_tokenizer(const fs::path& folder, Inventory& inventory) {
  TokenizerInventory found;
  for (std::string& file : tokenizer_file_names()) {
    if (fs::exists(folder / file)) found.files.push_back(std::move(file));
  }
  if (found.files.empty()) {
    inventory.notes.emplace_back("the folder holds no tokenizer (such as tokenizer.json)");
    return;
  }
  try {
    const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
    found.vocab_size = tokenizer->vocab_size();
    found.bos = tokenizer->bos_id();
    found.eos = tokenizer->eos_id();
  } catch (const Error& error) {
    inventory.notes.push_back(fmt::format("the tokenizer cannot be read: {}", error.what()));
    return;
  }
  found.chat_template = fs::exists(folder / "chat_template.jinja");
  const fs::path settings = folder / "tokenizer_config.json";
  if (!found.chat_template && fs::exists(settings)) {
    found.chat_template = read_json_object(settings).contains("chat_template");
  }
  if (found.vocab_size > inventory.vocab_size) {
    inventory.notes.push_back(fmt::format("the tokenizer has {} tokens, the model {}: they do not belong together",
                                          found.vocab_size, inventory.vocab_size));
  }
  inventory.tokenizer = std::move(found);
}

}  // namespace

std::int64_t Inventory::mixture_layers() const {
  return std::ranges::count_if(layers, [](const LayerInventory& layer) { return layer.experts > 0; });
}

std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return replace_invalid_utf8((whole.has_filename() ? whole : whole.parent_path()).filename().string());
}

Inventory take_inventory(const fs::path& folder) {
  Inventory inventory;
  inventory.name = folder_name(folder);
  if (holds_encoder_decoder(folder)) {
    const EncoderDecoderConfig config = load_encoder_decoder_config(folder);
    inventory.architecture = config.model_type;
    describe(config, inventory);
  } else {
    std::optional<StoredWeights> stored;
    if (has_weights(folder)) stored.emplace(folder);
    const DecoderConfig config = stored ? stored->config() : load_config(folder);
    inventory.architecture = config.model_type;
    describe(config, stored ? lossless_precision(*stored) : stated_precision(folder), inventory);
    if (stored) stored->check_complete();
  }
  read_headers(folder, inventory);
  read_tokenizer(folder, inventory);
  return inventory;
}

}  // namespace witan
