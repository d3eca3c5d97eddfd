// Records are cut where a line ends outside quotes; each piece is parsed as a table of its own under the first line.
#include "formats/csv_stream.h"

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

constexpr std::size_t kLongestRecord = std::size_t{64} << 20;

bool is_blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; });
}

}  // namespace

CsvStream::CsvStream(std::filesystem::path path, std::int64_t piece_bytes, CsvOptions options)
    : path_(std::move(path)), piece_bytes_(piece_bytes), options_(std::move(options)) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path_, error)) {
    fail("{}: {}, expected a file that can be read several times", path_.string(),
         std::filesystem::exists(path_, error) ? "not a regular file" : "no such file");
  }
  bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(path_, error));
  rewind();
}

void CsvStream::rewind() {
  file_ = std::ifstream(path_, std::ios::binary);
  if (!file_) fail("{}: cannot be read", path_.string());
  bytes_read_ = 0;
  header_.clear();
  pending_.clear();
  scanned_ = 0;
  quoted_ = false;
  lines_ = 0;
}

// Whole records, about a piece of them (the first time only the first line); false at the end of the file.
bool CsvStream::take_records(std::string& records) {
  const bool first = header_.empty();
  std::size_t end = 0;  // of the last whole record
  while (true) {
    for (; scanned_ < pending_.size(); ++scanned_) {
      const char c = pending_[scanned_];
      if (c == '"') quoted_ = !quoted_;
      if (c != '\n' || quoted_) continue;
      end = scanned_ + 1;
      if (first && !is_blank(std::string_view(pending_).substr(0, end))) break;
    }
    const bool enough = first ? end > 0 && scanned_ < pending_.size()
                              : end > 0 && static_cast<std::int64_t>(pending_.size()) >= piece_bytes_;
    if (enough) break;
    if (pending_.size() > kLongestRecord) {
      fail("{}: line {}: a row is longer than {} bytes; is a quote not closed?", path_.string(), lines_ + 1,
           kLongestRecord);
    }
    const std::size_t before = pending_.size();
    pending_.resize(before + static_cast<std::size_t>(piece_bytes_));
    file_.read(pending_.data() + before, piece_bytes_);
    pending_.resize(before + static_cast<std::size_t>(file_.gcount()));
    bytes_read_ += file_.gcount();
    if (file_.bad()) fail("{}: cannot be read", path_.string());
    if (pending_.size() == before) {  // the end of the file: whatever is left is the last record
      end = pending_.size();
      scanned_ = end;
      break;
    }
  }
  if (end == 0) return false;
  if (first) scanned_ = end;
  records = pending_.substr(0, end);
  pending_.erase(0, end);
  scanned_ -= end;
  return true;
}

bool CsvStream::next(CsvTable& piece, const std::set<std::string>& text_columns) {
  std::string records;
  if (header_.empty()) {
    if (!take_records(header_)) fail("{}: empty, expected a first line with the names of the columns", path_.string());
    lines_ = std::count(header_.begin(), header_.end(), '\n');
  }
  while (take_records(records)) {
    CsvOptions options = options_;
    options.text_columns = text_columns;
    const auto of_header = std::count(header_.begin(), header_.end(), '\n');
    options.line_shift = lines_ - of_header;
    lines_ += std::count(records.begin(), records.end(), '\n');
    if (is_blank(records)) continue;
    piece = parse_csv(header_ + records, path_.string(), options);
    return true;
  }
  return false;
}

CsvSchema scan_csv(CsvStream& stream, const std::function<void(std::int64_t)>& progress) {
  CsvSchema schema;
  std::map<std::string, std::set<std::string>> levels;
  // Again when a column turned out to be text late: pieces before had it as numbers.
  for (bool again = true; again;) {
    again = false;
    schema.rows = 0;
    levels.clear();
    stream.rewind();
    for (CsvTable piece; stream.next(piece, schema.text_columns);) {
      if (progress) progress(stream.bytes_read());
      for (const CsvColumn& column : piece.columns) {
        if (column.numeric) continue;
        again = again || (schema.text_columns.insert(column.name).second && schema.rows > 0);
        if (schema.crowded.contains(column.name)) continue;
        std::set<std::string>& known = levels[column.name];
        known.insert(column.levels.begin(), column.levels.end());
        if (known.size() <= CsvSchema::kMostLevels) continue;
        schema.crowded.insert(column.name);
        known.clear();
      }
      schema.rows += piece.rows;
    }
  }
  for (const auto& [name, texts] : levels) schema.levels[name].assign(texts.begin(), texts.end());
  stream.rewind();
  return schema;
}

void unify_levels(CsvTable& piece, const CsvSchema& schema) {
  for (CsvColumn& column : piece.columns) {
    const auto found = schema.levels.find(column.name);
    if (column.numeric || found == schema.levels.end() || schema.crowded.contains(column.name)) continue;
    const std::vector<std::string>& all = found->second;
    std::vector<std::int32_t> codes;
    for (const std::string& level : column.levels)
      codes.push_back(static_cast<std::int32_t>(std::lower_bound(all.begin(), all.end(), level) - all.begin()));
    for (std::int32_t& code : column.codes) code = code < 0 ? -1 : codes[static_cast<std::size_t>(code)];
    column.levels = all;
  }
}

}  // namespace witan
