// The weights of a model's folder as its architecture lays them out: checked against the config, read piece by piece or
// parameter by parameter, so that a model larger than memory can be gone through.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/description.h"
#include "models/released_files.h"
#include "models/stored_pieces.h"

namespace witan {

class StoredWeights {
 public:
  // Opens the files; no values are read. Throws Error as load_model does for the description, the headers, and files
  // that hold less than the config promises.
  explicit StoredWeights(const std::filesystem::path& folder);
  StoredWeights(const StoredWeights&) = delete;
  StoredWeights& operator=(const StoredWeights&) = delete;

  const DecoderConfig& config() const { return description_.config; }
  const Architecture& architecture() const { return *description_.architecture; }
  const std::filesystem::path& folder() const { return folder_; }
  const SafetensorsReader& reader() const { return files_.reader(); }
  // Whether a tensor of the files holds nothing of the model.
  bool may_be_ignored(const std::string& name) const;

  // How this architecture stores the parameters.
  std::vector<StoredPiece> pieces(const std::vector<Parameter>& parameters) const;
  std::vector<StoredPiece> pieces(std::span<const ParameterOutline> parameters) const;
  // Throws Error naming what the files lack of these and, if asked for, what they hold besides and may not: `others`
  // they may.
  enum class Extras { kRefuse, kAllow };
  void check_names(std::span<const StoredPiece> pieces, Extras extras, std::span<const StoredPiece> others = {}) const;
  bool holds(const StoredPiece& piece) const;
  // Throws Error naming the tensors that the config promises and the files lack, without a decoder. Says nothing of
  // files that are implausibly few for the config.
  void check_complete() const;
  // Into the memory of the piece's parameters. Throws Error naming the tensor.
  void read(const StoredPiece& piece) const;

 private:
  friend class StoredParameters;

  std::filesystem::path folder_;
  ModelDescription description_;
  WeightFiles files_;
};

// Parameters by their names in Decoder::parameters(), one bank at a time.
class StoredParameters {
 public:
  // `weights` must outlive this. Throws Error naming those that the files lack and, if asked for, what they hold
  // besides.
  StoredParameters(const StoredWeights& weights, std::vector<ParameterOutline> parameters,
                   StoredWeights::Extras extras);

  bool contains(const std::string& parameter) const { return places_.contains(parameter); }
  // Throws Error naming the parameter when it is none of these.
  const Shape& shape(const std::string& parameter) const { return place_of(parameter).outline.shape; }
  // What it is stored as, or BF16 for numbers of eight bits and fewer.
  DType dtype(const std::string& parameter) const;
  // Bank `bank` of num_banks(): out [numel / num_banks]. Throws Error naming the tensor.
  void read(const std::string& parameter, std::int64_t bank, std::span<float> out) const;

 private:
  struct Location {
    std::size_t piece;
    std::size_t part;
  };
  struct Place {
    ParameterOutline outline;
    std::vector<Location> locations;
  };
  const Place& place_of(const std::string& parameter) const;

  const StoredWeights& weights_;
  std::vector<StoredPiece> pieces_;
  std::map<std::string, Place> places_;
};

}  // namespace witan
