// Contents by name, in the order in which they came.
#include "text/kept_files.h"

#include "base/file.h"
#include "text/hugging_face_files.h"

namespace witan {

void KeptFiles::add(std::string name, std::string content) { files_.emplace_back(std::move(name), std::move(content)); }

void KeptFiles::add_from(const std::filesystem::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (file_is_there(folder / name)) add(name, read_text_file(folder / name));
  }
}

void KeptFiles::save(const std::filesystem::path& folder) const {
  for (const auto& [name, content] : files_) write_file(folder / name, content);
}

}  // namespace witan
