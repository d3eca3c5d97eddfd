// Piece by piece, by the rules of the architecture that expresses the config.
#include "models/upcycling/model_writer.h"

#include <map>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/pool.h"
#include "formats/safetensors.h"
#include "models/arch/architecture.h"
#include "models/description.h"
#include "models/released_files.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

std::int64_t companion_bytes(const fs::path& from) {
  std::int64_t bytes = 0;
  for (const fs::path& file : companion_files(from)) bytes += static_cast<std::int64_t>(fs::file_size(file));
  return bytes;
}

// A part of a piece, bank by bank of its parameter.
void fill_part(const BankSource& source, const StoredPiece::Part& part, std::int64_t bank, std::int64_t bank_size,
               std::span<float> out) {
  const std::int64_t together = part.bank_size / bank_size;
  for (std::int64_t i = 0; i < together; ++i) {
    source(part.parameter, (part.first_bank + bank) * together + i,
           out.subspan(static_cast<std::size_t>(i * bank_size), static_cast<std::size_t>(bank_size)));
  }
}

}  // namespace

const std::vector<std::string>& stored_as_choices() {
  static const std::vector<std::string> choices = {"keep", "f32", "f16", "bf16"};
  return choices;
}

DType stored_as(const std::string& choice, DType source) {
  if (choice == "f32") return DType::kF32;
  if (choice == "f16") return DType::kF16;
  if (choice == "bf16") return DType::kBF16;
  WITAN_ASSERT(choice == "keep");
  return source;
}

std::int64_t stored_bytes(std::span<const PlannedParameter> parameters) {
  std::int64_t bytes = 0;
  for (const PlannedParameter& parameter : parameters) {
    bytes += parameter.outline.shape.numel() * static_cast<std::int64_t>(dtype_bytes(parameter.dtype));
  }
  return bytes;
}

void require_disk_space(const fs::path& path, std::int64_t bytes) {
  fs::path folder = fs::absolute(path).lexically_normal();
  std::error_code error;
  while (!fs::exists(folder, error) && folder != folder.parent_path()) folder = folder.parent_path();
  const fs::space_info space = fs::space(folder, error);
  if (error) return;  // writing will tell
  if (static_cast<std::int64_t>(space.available / 1000) < bytes / 1000) {
    fail("{}: takes {:.2f} GB of disk, {:.2f} GB are free", path.string(), static_cast<double>(bytes) / 1e9,
         static_cast<double>(space.available) / 1e9);
  }
}

void write_model_folder(const fs::path& output, const DecoderConfig& config,
                        const std::vector<PlannedParameter>& parameters, const BankSource& source,
                        const fs::path& companions, const WriteListener& listener) {
  if (output.empty()) fail("cannot write a folder without a name");
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(output, ignored))) fail("{}: exists; choose another folder", output.string());
  require_disk_space(output, stored_bytes(parameters) + companion_bytes(companions));

  const Architecture& architecture = architecture_for(config);
  std::vector<ParameterOutline> outlines;
  struct OfParameter {
    std::int64_t bank_size;
    DType dtype;
  };
  std::map<std::string, OfParameter> known;
  for (const PlannedParameter& parameter : parameters) {
    const ParameterOutline& outline = parameter.outline;
    outlines.push_back(outline);
    known[outline.name] = {outline.shape.numel() / num_banks(outline), parameter.dtype};
  }
  std::int64_t written = 0;
  std::vector<TensorToStore> tensors;
  for (const StoredPiece& piece :
       stored_pieces(architecture.tensors, architecture.layers, std::span<const ParameterOutline>(outlines))) {
    const DType dtype = known.at(piece.parts().front().parameter).dtype;
    const auto fill = [&, piece, dtype](std::span<float> out) {
      const std::vector<StoredPiece::Part> parts = piece.parts();
      const auto size = static_cast<std::size_t>(piece.bank_size());
      for (std::int64_t bank = 0; bank < piece.banks(); ++bank) {
        const std::span<float> stored = out.subspan(static_cast<std::size_t>(bank) * size, size);
        for (std::size_t i = 0; i < parts.size(); ++i) {
          const std::int64_t bank_size = known.at(parts[i].parameter).bank_size;
          if (piece.is_verbatim(false)) {
            fill_part(source, parts[i], bank, bank_size, stored);
            continue;
          }
          PooledVector<float> values(static_cast<std::size_t>(parts[i].bank_size));
          fill_part(source, parts[i], bank, bank_size, values);
          piece.gather_part(i, values, stored);
        }
      }
      written += static_cast<std::int64_t>(out.size() * dtype_bytes(dtype));
      if (listener) listener(written);
    };
    tensors.push_back({piece.name, piece.shape, {}, dtype, fill});
  }
  write_folder(output, [&](const fs::path& temporary) {
    write_description(config, architecture, known.at("model.embed_tokens.weight").dtype, temporary);
    copy_companions(companions, temporary);
    write_safetensors(temporary / kWeightsFile, tensors);
  });
}

}  // namespace witan
