// Fields, JSON and comparison of the settings of a run.
#include "training/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "balance/table.h"
#include "base/error.h"
#include "gates/table.h"
#include "routers/table.h"
#include "text/utf8.h"

namespace witan {

namespace {

// Each part of a mixture knows what it needs, so they are made once for their errors, before any text is read.
void validate_parts(const DecoderConfig& model) {
  Random random(0);
  find_router(model.moe.router).make(model.mixture_options(), model.hidden_size, random);
  find_gate(model.moe.gate).make(model.moe, model.hidden_size, model.moe.num_experts, random);
  make_balance_rules(model.moe);
}

void require_utf8(const std::string& path) {
  if (find_invalid_utf8(path) == std::string::npos) return;
  fail("{}: the name is not UTF-8, and the settings of a run, as JSON, cannot hold it; rename it, or name a link to it",
       path);
}

// What a config holds of the model it came from besides its fields.
nlohmann::json origin_to_json(const TrainSettings& settings) {
  if (settings.from.empty()) return {};
  return {{"folder", settings.from},
          {"model_type", settings.model.model_type},
          {"bos_token_id", settings.model.bos_token_id},
          {"eos_token_ids", settings.model.eos_token_ids}};
}

void read_origin(const nlohmann::json& origin, TrainSettings& settings) {
  if (origin.is_null()) return;
  try {
    settings.from = origin.at("folder").get<std::string>();
    settings.model.model_type = origin.at("model_type").get<std::string>();
    settings.model.bos_token_id = origin.at("bos_token_id").get<std::int64_t>();
    settings.model.eos_token_ids = origin.at("eos_token_ids").get<std::vector<std::int64_t>>();
  } catch (const nlohmann::json::exception& error) {
    fail("settings: from: {}", error.what());
  }
  settings.model.moe.allow_constant_weight = true;  // as of every model that was loaded
}

// Fields of a mixture that say how rows are routed and balanced.
bool is_tunable(const std::string& name) {
  if (name == "num_experts") return false;
  if (name == "router_jitter_noise" || name == "allow_noncausal") return true;
  MoeOptions options;
  const auto has = [&](const Fields& fields) {
    return std::ranges::any_of(fields.all(), [&](const Field& field) { return field.name == name; });
  };
  return has(options.RouterOptions::fields()) || has(options.BalanceOptions::fields());
}

}  // namespace

Fields TrainDataOptions::fields() {
  Fields fields("data");
  fields
      .text("tokenizer", tokenizer,
            "sentencepiece (BPE with byte fallback, trained on the text), bytes, or a folder with a saved tokenizer")
      .flag("lossy", lossy, "Replace invalid UTF-8 by U+FFFD instead of refusing the file")
      .real("heldout_share", heldout_share, 0.0001, 0.9, "Share of every domain's text that is kept out of training")
      .integer("batch_size", batch_size, 1, 1 << 20, "Sequences per micro-batch")
      .integer("sequence_length", sequence_length, 1, 1 << 20, "Tokens per sequence")
      .integer("gradient_accumulation_steps", gradient_accumulation_steps, 1, 1 << 20,
               "Micro-batches whose gradients are averaged into one optimizer step");
  return fields;
}

Fields LoggingOptions::fields() {
  Fields fields("logging");
  fields
      .integer("eval_steps", eval_steps, 0, std::int64_t{1} << 40,
               "Steps between evaluations on held-out text; 0: only at the end")
      .integer("eval_tokens", eval_tokens, 1, std::int64_t{1} << 40,
               "Held-out tokens per evaluation along the way; the last one reads all")
      .integer("save_steps", save_steps, 0, std::int64_t{1} << 40, "Steps between checkpoints; 0: not by steps")
      .real("save_minutes", save_minutes, 0.0, 1e6, "Minutes between checkpoints; 0: not by time");
  return fields;
}

Fields TrainSettings::deciding_fields() {
  Fields fields("training");
  fields.include(model.fields())
      .include(data.fields())
      .include(optimizer.fields())
      .include(schedule.fields())
      .integer("seed", seed, 0, kMostSeed, "Decides weights, order of the text and routing noise")
      .include(budget.fields());
  return fields;
}

void TrainSettings::validate() const {
  for (const std::string& path : data.paths) require_utf8(path);
  require_utf8(from);
  require_utf8(data.tokenizer);
  model.validate();
  validate_parts(model);
  schedule.validate();
  budget.validate();
  if (data.sequence_length > model.max_position_embeddings) {
    fail("data.sequence_length: sequence_length={} exceeds max_position_embeddings={}", data.sequence_length,
         model.max_position_embeddings);
  }
}

nlohmann::json settings_to_json(const TrainSettings& settings) {
  TrainSettings copy = settings;
  nlohmann::json object = copy.deciding_fields().to_json();
  object.update(copy.logging.fields().to_json());
  object["preset"] = settings.preset;
  object["threads"] = settings.threads;
  object["paths"] = settings.data.paths;
  object["from"] = origin_to_json(settings);
  return object;
}

TrainSettings settings_from_json(const nlohmann::json& object) {
  if (!object.is_object()) fail("settings: expected a JSON object, found {}", object.type_name());
  TrainSettings settings;
  const nlohmann::json complete = settings_to_json(settings);
  for (const auto& [key, value] : complete.items()) {
    // Runs that were made before there was "from" began from scratch.
    if (key != "from" && !object.contains(key)) fail("settings: '{}' is missing", key);
  }
  nlohmann::json fields = object;
  try {
    settings.preset = fields.at("preset").get<std::string>();
    settings.threads = fields.at("threads").get<std::int64_t>();
    settings.data.paths = fields.at("paths").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& error) {
    fail("settings: preset, threads or paths: {}", error.what());
  }
  for (const char* key : {"preset", "threads", "paths", "from"}) fields.erase(key);
  Fields all("settings");
  all.include(settings.deciding_fields()).include(settings.logging.fields());
  all.set_all(fields);
  if (object.contains("from")) read_origin(object["from"], settings);
  return settings;
}

std::vector<std::string> contradictions(const DecoderConfig& now, const DecoderConfig& origin,
                                        const std::set<std::string>& chosen) {
  DecoderConfig left = now;
  DecoderConfig right = origin;
  const Fields fields = left.fields();
  const Fields of_model = right.fields();
  std::vector<std::string> list;
  for (const Field& field : fields.all()) {
    const std::string had = of_model.find(field.name).text();
    if (chosen.contains(field.name) && field.text() != had && !is_tunable(field.name)) {
      list.push_back(fmt::format("{}: {}, the model has {}", field.name, field.text(), had));
    }
  }
  return list;
}

std::vector<std::string> differing_fields(const TrainSettings& now, const TrainSettings& saved) {
  TrainSettings left = now;
  TrainSettings right = saved;
  std::vector<std::string> differences;
  const Fields left_fields = left.deciding_fields();
  const Fields right_fields = right.deciding_fields();
  for (std::size_t i = 0; i < left_fields.all().size(); ++i) {
    const Field& field = left_fields.all()[i];
    const std::string was = right_fields.all()[i].text();
    if (field.scope != "budget" && field.text() != was)
      differences.push_back(fmt::format("{}: {}, was {}", field.name, field.text(), was));
  }
  if (now.data.paths != saved.data.paths) differences.emplace_back("the paths of the text");
  return differences;
}

void require_same_settings(const TrainSettings& now, const TrainSettings& saved,
                           const std::filesystem::path& checkpoint) {
  const std::vector<std::string> differences = differing_fields(now, saved);
  if (differences.empty()) return;
  std::string list;
  for (const std::string& difference : differences) list += (list.empty() ? "" : "; ") + difference;
  fail("{}: was made with other settings: {}", checkpoint.string(), list);
}

}  // namespace witan
