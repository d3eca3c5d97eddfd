// The files of a tokenizer as they were read, kept so that saving writes the same ones. What they say is for others to
// read.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace witan {

class KeptFiles {
 public:
  void add(std::string name, std::string content);
  // Of the named files in `folder` those that are there. Throws Error as read_text_file.
  void add_from(const std::filesystem::path& folder, std::initializer_list<const char*> names);
  // Each whole or not at all. Throws Error as write_file.
  void save(const std::filesystem::path& folder) const;

 private:
  std::vector<std::pair<std::string, std::string>> files_;  // names and contents
};

}  // namespace witan
