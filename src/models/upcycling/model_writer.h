// A model's folder written without the model: its parameters are asked for one bank at a time, in the order of the
// file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/number_formats.h"
#include "models/config.h"
#include "models/stored_pieces.h"

namespace witan {

struct PlannedParameter {
  ParameterOutline outline;
  DType dtype = DType::kF32;  // F32, F16 or BF16; parameters that share a tensor of the file follow the first of it
};

// Fills bank `bank` of a parameter: out [numel / num_banks].
using BankSource = std::function<void(const std::string& parameter, std::int64_t bank, std::span<float> out)>;
// Told after each tensor how many bytes of all are written; may throw to stop.
using WriteListener = std::function<void(std::int64_t bytes_written)>;

// Of the weights.
std::int64_t stored_bytes(std::span<const PlannedParameter> parameters);

// Throws Error when less than `bytes` is free where `path` will stand.
void require_disk_space(const std::filesystem::path& path, std::int64_t bytes);

// Writes `output` whole or not at all: config.json, weights, and what stands beside them in the folder `companions`
// (copy_companions). Memory: one tensor of the file, and what `source` takes. Throws Error
// when `output` exists, the disk is too full, or `source` fails.
void write_model_folder(const std::filesystem::path& output, const DecoderConfig& config,
                        const std::vector<PlannedParameter>& parameters, const BankSource& source,
                        const std::filesystem::path& companions, const WriteListener& listener);

// What a user may ask weights to be stored as: "keep" (as the source has them), f32, f16, bf16.
const std::vector<std::string>& stored_as_choices();
DType stored_as(const std::string& choice, DType source);

}  // namespace witan
