// RUN/checkpoint: JSON beside safetensors, in a folder that is replaced as a whole.
#include "training/checkpoint.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/stored_pieces.h"
#include "text/tokenizer.h"

namespace witan {
namespace {

constexpr const char* kFormat = "witan training checkpoint";
constexpr std::int64_t kStateVersion = 2;
constexpr const char* kStateFile = "state.json";
constexpr const char* kTensorFile = "tensors.safetensors";

nlohmann::json state_to_json(const TrainingState& state) {
  return {{"format", kFormat},
          {"version", kStateVersion},
          {"settings", settings_to_json(state.settings)},
          {"content_key", state.content_key},
          {"steps", state.consumed.steps},
          {"tokens", state.consumed.tokens},
          {"seconds", state.consumed.seconds},
          {"updates", state.updates},
          {"next_batch", state.next_batch},
          {"routing_position", state.routing_position},
          {"threads", state.threads},
          {"instruction_set", state.instruction_set}};
}

TrainingState state_from_json(const nlohmann::json& object) {
  TrainingState state;
  state.settings = settings_from_json(object.at("settings"));
  state.content_key = object.at("content_key").get<std::string>();
  state.consumed.steps = object.at("steps").get<std::int64_t>();
  state.consumed.tokens = object.at("tokens").get<std::int64_t>();
  state.consumed.seconds = object.at("seconds").get<double>();
  state.updates = object.at("updates").get<std::int64_t>();
  state.next_batch = object.at("next_batch").get<std::int64_t>();
  state.routing_position = object.at("routing_position").get<std::uint64_t>();
  state.threads = object.at("threads").get<std::int64_t>();
  state.instruction_set = object.at("instruction_set").get<std::string>();
  if (state.threads < 1 || state.threads > kMostThreads) {
    fail("threads={} is not between 1 and {}", state.threads, kMostThreads);
  }
  if (state.consumed.steps < 0 || state.consumed.tokens < 0 || !(state.consumed.seconds >= 0.0) || state.updates < 0 ||
      state.next_batch < 0) {
    fail("a count below 0");
  }
  return state;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& folder, const TrainingState& state,
                     const std::vector<Parameter>& tensors, const Tokenizer& tokenizer) {
  std::vector<TensorToStore> stored;
  for (const Parameter& tensor : tensors) {
    stored.push_back({tensor.name, dimensions(tensor.value.shape()), tensor.value.values()});
  }
  write_folder(folder, [&](const std::filesystem::path& temporary) {
    write_safetensors(temporary / kTensorFile, stored, {{"format", kFormat}});
    tokenizer.save(temporary);
    write_file(temporary / kStateFile, state_to_json(state).dump(1) + "\n");
  });
}

TrainingState load_training_state(const std::filesystem::path& checkpoint) {
  const std::filesystem::path folder = whole_folder(checkpoint);
  const std::filesystem::path file = folder / kStateFile;
  if (!std::filesystem::exists(file)) fail("{}: no checkpoint here: {} is missing", folder.string(), kStateFile);
  const nlohmann::json object = nlohmann::json::parse(read_text_file(file), nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) fail("{}: damaged: not valid JSON", file.string());
  if (!object.is_object() || object.value("format", nlohmann::json()) != kFormat) {
    fail("{}: not a checkpoint of witan train: expected \"format\": \"{}\"", file.string(), kFormat);
  }
  if (object.value("version", nlohmann::json()) != kStateVersion) {
    fail("{}: checkpoint version {}, this program reads version {}", file.string(),
         object.value("version", nlohmann::json()).dump(), kStateVersion);
  }
  try {
    return state_from_json(object);
  } catch (const nlohmann::json::exception& error) {
    fail("{}: damaged: {}", file.string(), error.what());
  } catch (const Error& error) {
    fail("{}: damaged: {}", file.string(), error.what());
  }
}

void load_tensors(const std::filesystem::path& folder, const std::vector<Parameter>& tensors) {
  const std::filesystem::path file = folder / kTensorFile;
  const SafetensorsReader reader(file);
  std::set<std::string> expected;
  for (const Parameter& tensor : tensors) {
    expected.insert(tensor.name);
    reader.read_f32(tensor.name, dimensions(tensor.value.shape()), tensor.value.values());
  }
  for (const auto& [name, stored] : reader.tensors()) {
    if (!expected.contains(name)) fail("{}: holds a tensor '{}' that this run does not have", file.string(), name);
  }
}

}  // namespace witan
