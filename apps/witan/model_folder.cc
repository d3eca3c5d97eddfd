// Model folder or run folder.
#include "witan/model_folder.h"

#include "base/error.h"
#include "base/file.h"

namespace witan::cli {

std::filesystem::path find_model_folder(const std::filesystem::path& folder) {
  if (std::filesystem::is_regular_file(folder / "config.json")) return folder;
  std::filesystem::path inner = whole_folder(folder / "model");
  if (std::filesystem::is_regular_file(inner / "config.json")) return inner;
  if (!std::filesystem::exists(folder)) fail("{}: no such folder", folder.string());
  if (!std::filesystem::is_directory(folder)) fail("{}: a file, expected the folder of a model", folder.string());
  fail("{}: no model there; expected {} or {}", folder.string(), (folder / "config.json").string(),
       (inner / "config.json").string());
}

}  // namespace witan::cli
