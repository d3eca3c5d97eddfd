// From paths to documents in domains, split into training and held-out text.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "text/utf8.h"
#include "training/dataset.h"
#include "training/run_folder.h"
#include "training/text_files.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

struct SourceFile {
  std::string domain;
  fs::path path;
};

constexpr std::size_t kMostFileDomains = 32;  // more could not be read in a table or a picture

// Long enough for 5 % of it to be some pages of text, short enough for a book to be held out in several places.
constexpr std::size_t kSectionBytes = 128 << 10;

bool hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!hidden(entry->path())) entries.push_back(entry->path());
  }
  if (error) fail("{}: cannot read the folder: {}", folder.string(), error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

// A link to a folder may lead back up.
bool is_real_folder(const fs::path& path) { return fs::is_directory(fs::symlink_status(path)); }

struct Walk {
  std::vector<fs::path> files;
  std::int64_t skipped = 0;
};

// A run may stand in the folder of its own text, and what it writes must not become text when it is resumed.
void walk(const fs::path& folder, Walk& result) {
  for (const fs::path& entry : sorted_entries(folder)) {
    if (is_real_folder(entry) && !holds_results(entry)) {
      walk(entry, result);
    } else if (fs::is_regular_file(entry) && is_known_text_file(entry)) {
      result.files.push_back(entry);
    } else {
      ++result.skipped;
    }
  }
}

[[noreturn]] void fail_nothing_found(const fs::path& folder, std::int64_t skipped) {
  fail("{}: no text found: looked for files ending in {} (each also .gz); others that were skipped: {}",
       folder.string(), known_text_extensions(), skipped);
}

// "data/" and "." have no name of their own.
std::string folder_name(const fs::path& folder) {
  std::error_code error;
  const fs::path full = fs::weakly_canonical(folder, error);
  return (error ? folder : full).filename().string();
}

void add_folder_as_one(const fs::path& folder, std::vector<SourceFile>& files) {
  Walk found;
  walk(folder, found);
  if (found.files.empty()) fail_nothing_found(folder, found.skipped);
  for (fs::path& file : found.files) files.push_back({folder_name(folder), std::move(file)});
}

void add_folder_by_entry(const fs::path& folder, std::vector<SourceFile>& files) {
  Walk at_top;
  std::int64_t skipped = 0;
  const std::size_t before = files.size();
  for (const fs::path& entry : sorted_entries(folder)) {
    if (is_real_folder(entry) && !holds_results(entry)) {
      Walk below;
      walk(entry, below);
      skipped += below.skipped;
      for (fs::path& file : below.files) files.push_back({entry.filename().string(), std::move(file)});
    } else if (fs::is_regular_file(entry) && is_known_text_file(entry)) {
      at_top.files.push_back(entry);
    } else {
      ++skipped;
    }
  }
  const bool one_domain = at_top.files.size() > kMostFileDomains;
  for (const fs::path& file : at_top.files) {
    files.push_back({one_domain ? folder_name(folder) : name_without_extensions(file), file});
  }
  if (files.size() == before) fail_nothing_found(folder, skipped);
}

std::vector<SourceFile> find_files(const std::vector<fs::path>& paths) {
  if (paths.empty()) fail("data: no paths given, expected files or folders with text");
  std::vector<SourceFile> files;
  for (const fs::path& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      fail("{}: {}", path.string(),
           error && status.type() == fs::file_type::none ? error.message() : "no such file or folder");
    }
    if (!fs::is_directory(status)) {
      files.push_back({name_without_extensions(path), path});
    } else if (paths.size() > 1) {
      add_folder_as_one(path, files);
    } else {
      add_folder_by_entry(path, files);
    }
  }
  // Given twice, by itself and in a folder, text is still read once.
  std::set<fs::path> seen;
  std::erase_if(files, [&](const SourceFile& file) {
    std::error_code error;
    const fs::path canonical = fs::canonical(file.path, error);
    return !error && !seen.insert(canonical).second;
  });
  return files;
}

// The line end nearest to `target` in `text`, neither at its beginning nor at its end.
std::optional<std::size_t> nearest_line_end(const std::string& text, std::size_t target) {
  std::optional<std::size_t> best;
  const auto consider = [&](std::size_t newline) {
    if (newline == std::string::npos || newline + 1 >= text.size()) return;
    const auto distance = [&](std::size_t cut) { return cut > target ? cut - target : target - cut; };
    if (!best || distance(newline + 1) < distance(*best)) best = newline + 1;
  };
  // A line end at the very end is no place to cut: look before it.
  if (target > 0 && text.size() > 1) consider(text.rfind('\n', std::min(target - 1, text.size() - 2)));
  consider(text.find('\n', target));
  return best;
}

// Where a single line can be cut: behind the space nearest to `target`, or before the nearest character.
std::optional<std::size_t> nearest_cut_in_line(const std::string& text, std::size_t target) {
  const auto nearest = [&](const auto& may_cut) {
    std::optional<std::size_t> best;
    for (std::size_t away = 0; away < text.size() && !best; ++away) {
      if (away <= target && may_cut(target - away)) best = target - away;
      if (!best && may_cut(target + away)) best = target + away;
    }
    return best;
  };
  const auto inside = [&](std::size_t cut) { return cut > 0 && cut < text.size(); };
  const auto behind_space = nearest([&](std::size_t cut) { return inside(cut) && text[cut - 1] == ' '; });
  if (behind_space) return behind_space;
  return nearest([&](std::size_t cut) { return inside(cut) && utf8_length(std::string_view(text).substr(cut)) > 0; });
}

struct Split {
  std::size_t document = 0;  // the first that is held out, at least in part
  std::size_t cut = 0;       // bytes of it that are trained on
};

// Held out: `wanted` bytes at the end of the documents of one section.
Split split_section(const std::vector<std::string>& documents, double wanted) {
  Split split{documents.size(), 0};
  double held = 0.0;
  while (split.document > 0 && held + static_cast<double>(documents[split.document - 1].size()) <= wanted) {
    held += static_cast<double>(documents[--split.document].size());
  }
  if (split.document > 0) {
    const std::string& last = documents[split.document - 1];
    const auto size = static_cast<double>(last.size());
    const double target = size - (wanted - held);  // in [0, size]
    const std::optional<std::size_t> cut = nearest_line_end(last, static_cast<std::size_t>(std::llround(target)));
    const auto distance = [&](double position) { return std::fabs(position - target); };
    // The ends of the document are ends as well; they must win by distance, or be the only ones. Where all are so far
    // that nearly nothing or nearly everything would be held out, a line is cut.
    const auto serves = [&](double position) {
      return position > target ? position - target <= wanted / 2.0 : target - position <= std::max(wanted, size / 3.0);
    };
    if (cut && serves(static_cast<double>(*cut)) &&
        distance(static_cast<double>(*cut)) <= std::min(distance(0.0), distance(size))) {
      return {split.document - 1, *cut};
    }
    if (distance(0.0) < distance(size) && serves(0.0) && split.document > 1) return {split.document - 1, 0};
    if (split.document == documents.size()) {
      const bool far = !(cut && serves(static_cast<double>(*cut))) && !(serves(0.0) && documents.size() > 1);
      const auto in_line = nearest_cut_in_line(last, static_cast<std::size_t>(std::llround(target)));
      if (far && in_line) return {split.document - 1, *in_line};
    }
    if (split.document == documents.size()) {  // nothing is held out yet
      if (cut) return {split.document - 1, *cut};
      if (documents.size() > 1) return {split.document - 1, 0};
      const auto in_line = nearest_cut_in_line(last, static_cast<std::size_t>(std::llround(target)));
      if (in_line) return {split.document - 1, *in_line};
    }
    return split;
  }
  return {1, 0};  // at least one document stays
}

// One domain as runs of documents of about kSectionBytes each; a document much longer than that is cut at line ends.
std::vector<std::vector<std::string>> into_sections(std::vector<std::string> documents) {
  std::vector<std::vector<std::string>> sections(1);
  std::size_t filled = 0;  // bytes of the last section
  const auto start_section = [&] {
    sections.emplace_back();
    filled = 0;
  };
  for (std::string& document : documents) {
    if (filled > kSectionBytes / 2 && filled + document.size() > kSectionBytes) start_section();
    std::string_view rest = document;
    while (rest.size() > kSectionBytes + kSectionBytes / 2) {
      const std::size_t newline = rest.find('\n', kSectionBytes);
      if (newline == std::string_view::npos || newline + 1 >= rest.size()) break;
      sections.back().emplace_back(rest.substr(0, newline + 1));
      rest.remove_prefix(newline + 1);
      start_section();
    }
    filled += rest.size();
    if (rest.size() == document.size()) {
      sections.back().push_back(std::move(document));
    } else {
      sections.back().emplace_back(rest);
      document = std::string();  // text is not held twice
    }
  }
  return sections;
}

// 0 for what has no size, such as a pipe.
std::int64_t bytes_on_disk(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

void check(const DataOptions& options) {
  if (!(options.heldout_share >= 0.0 && options.heldout_share < 1.0)) {
    fail("data.heldout_share: {} is out of range (expected 0 or more, below 1)", options.heldout_share);
  }
}

void add(std::vector<Document>& documents, std::int64_t& bytes, std::string text, std::int32_t domain) {
  if (text.empty()) return;
  bytes += static_cast<std::int64_t>(text.size());
  documents.push_back({std::move(text), domain});
}

void add_section(std::vector<std::string> documents, double heldout_share, std::int32_t domain, Corpus& corpus) {
  double bytes = 0.0;
  for (const std::string& document : documents) bytes += static_cast<double>(document.size());
  const double wanted = heldout_share * bytes;
  const Split split = wanted > 0.0 ? split_section(documents, wanted) : Split{documents.size(), 0};
  for (std::size_t i = 0; i < documents.size(); ++i) {
    std::string& document = documents[i];
    if (i > split.document || (i == split.document && split.cut == 0)) {
      add(corpus.heldout, corpus.heldout_bytes, std::move(document), domain);
      continue;
    }
    if (i == split.document) {
      add(corpus.heldout, corpus.heldout_bytes, document.substr(split.cut), domain);
      document.resize(split.cut);
    }
    add(corpus.train, corpus.train_bytes, std::move(document), domain);
  }
}

std::string content_key(const Corpus& corpus) {
  Hasher low(0);
  Hasher high(1);  // two of 64 bits: one would be enough against accidents, but not with many runs
  for (Hasher* hasher : {&low, &high}) {
    hasher->update_number(corpus.domains.size());
    for (const std::string& name : corpus.domains) {
      hasher->update_number(name.size());
      hasher->update(name);
    }
    for (const std::vector<Document>* documents : {&corpus.train, &corpus.heldout}) {
      hasher->update_number(documents->size());
      for (const Document& document : *documents) {
        hasher->update_number(static_cast<std::uint64_t>(document.domain));
        hasher->update_number(document.text.size());
        hasher->update(document.text);
      }
    }
  }
  return hex(low.digest()) + hex(high.digest());
}

}  // namespace

Corpus read_corpus(const DataOptions& options) {
  check(options);
  const std::vector<SourceFile> files = find_files(options.paths);
  std::vector<std::int64_t> sizes;
  for (const SourceFile& file : files) sizes.push_back(bytes_on_disk(file.path));
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  const ByteUnit unit = byte_unit(total);
  Progress progress("read", total, options.progress, unit.name, unit.bytes);
  std::int64_t bytes_read = 0;
  std::map<std::string, std::vector<std::string>> by_domain;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const SourceFile& file = files[i];
    throw_if_interrupted();
    progress.update(bytes_read, file.path.filename().string());
    bytes_read += sizes[i];
    std::vector<std::string> documents = read_documents(file.path, options.lossy);
    if (documents.empty()) continue;
    std::vector<std::string>& all = by_domain[replace_invalid_utf8(file.domain)];
    std::move(documents.begin(), documents.end(), std::back_inserter(all));
  }
  if (by_domain.empty()) {
    fail("{}: empty: {} without any text", options.paths.front().string(),
         files.size() == 1 ? "a file" : fmt::format("{} files", files.size()));
  }
  progress.update(bytes_read);
  progress.finish(fmt::format("{} file{}", files.size(), files.size() == 1 ? "" : "s"));
  constexpr std::size_t kMostDomains = 65535;
  if (by_domain.size() > kMostDomains) fail("data: {} domains exceed {}", by_domain.size(), kMostDomains);
  Corpus corpus;
  for (auto& [name, documents] : by_domain) {
    const auto domain = static_cast<std::int32_t>(corpus.domains.size());
    corpus.domains.push_back(name);
    for (std::vector<std::string>& section : into_sections(std::move(documents))) {
      add_section(std::move(section), options.heldout_share, domain, corpus);
    }
  }
  corpus.content_key = content_key(corpus);
  return corpus;
}

std::string heldout_text(const Corpus& corpus) {
  std::string text;
  for (const Document& document : corpus.heldout) text += document.text;
  return text;
}

}  // namespace witan
