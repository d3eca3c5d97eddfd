// A table of comma-separated values read piece by piece, any number of times, in memory that does not grow with the
// file. Not for pipes: they can be read once.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "formats/csv.h"

namespace witan {

constexpr std::int64_t kCsvPieceBytes = std::int64_t{8} << 20;

class CsvStream {
 public:
  // Throws Error when there is no such regular file.
  explicit CsvStream(std::filesystem::path path, std::int64_t piece_bytes = kCsvPieceBytes, CsvOptions options = {});

  // The next rows under the names of the first line; false at the end. A column is text in every piece when it is in
  // `text_columns`; other than in a whole file, a column of numbers in one piece may be text in another.
  bool next(CsvTable& piece, const std::set<std::string>& text_columns = {});
  void rewind();
  std::int64_t bytes() const { return bytes_; }            // of the file
  std::int64_t bytes_read() const { return bytes_read_; }  // since the last rewind

 private:
  bool take_records(std::string& records);

  std::filesystem::path path_;
  std::int64_t piece_bytes_;
  CsvOptions options_;
  std::int64_t bytes_ = 0;
  std::int64_t bytes_read_ = 0;
  std::ifstream file_;
  std::string header_;
  std::string pending_;      // read and not yet handed out
  std::size_t scanned_ = 0;  // of pending_
  bool quoted_ = false;      // whether scanned_ stands inside a quoted field
  std::int64_t lines_ = 0;   // handed out, the header among them
};

// What the pieces of a table have in common: which columns are text in any of them, and their texts.
struct CsvSchema {
  std::int64_t rows = 0;
  std::set<std::string> text_columns;
  std::map<std::string, std::vector<std::string>> levels;  // of the text columns, ascending
  std::set<std::string> crowded;  // text columns with more than kMostLevels, whose levels are not kept
  static constexpr std::size_t kMostLevels = 1000;
};

// Reads the whole file once or twice. `progress` is told the bytes read so far; may be empty.
CsvSchema scan_csv(CsvStream& stream, const std::function<void(std::int64_t)>& progress);

// Gives the text columns of a piece the levels of the whole.
void unify_levels(CsvTable& piece, const CsvSchema& schema);

}  // namespace witan
