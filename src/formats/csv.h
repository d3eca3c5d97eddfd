// Tables of comma-separated values (RFC 4180, with other separators): bytes to typed columns. Not what the columns
// mean.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

// A column is numeric when every value that is there is a number; else each value is one of its levels.
struct CsvColumn {
  std::string name;
  bool numeric = true;
  std::vector<double> numbers;      // numeric: NaN where missing
  std::vector<std::int32_t> codes;  // else: of levels, -1 where missing
  std::vector<std::string> levels;  // in alphabetical order
  std::int64_t missing = 0;

  bool is_missing(std::int64_t row) const;
};

struct CsvTable {
  std::string source;  // the file, for messages
  char decimal = '.';  // what its numbers were read with
  std::vector<CsvColumn> columns;
  std::int64_t rows = 0;
  std::vector<std::int64_t> lines;  // where each row begins in the file; empty when row r stands in line r + 2

  std::int64_t line_of(std::int64_t row) const;
  // Throws Error for an unknown name, with the nearest known ones.
  const CsvColumn& find(std::string_view name) const;
  const CsvColumn* find_or_null(std::string_view name) const;
};

struct CsvOptions {
  char separator = '\0';                   // of , ; tab |; \0: the one that the first line has most of
  char decimal = '.';                      // what stands before the fraction of a number; not the separator
  std::int64_t max_field_bytes = 1 << 20;  // a longer field is most likely an open quote
  std::int64_t max_columns = 100'000;
  std::set<std::string> text_columns;  // text whatever their values look like
  std::int64_t line_shift = 0;         // added to the lines of rows in messages: where the text is part of a file
};

// Whether the whole text is a finite number as this decimal point writes them.
bool is_csv_number(std::string_view text, char decimal);

// The first line names the columns. Values that are empty, NA, N/A, NaN, null or ? are missing. Throws Error "file:
// line 7, column 'age': ..." for rows of another length, broken quotes, numbers beyond double, infinities, bytes that
// are not UTF-8, and names that stand twice.
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});
CsvTable parse_csv(std::string_view text, const std::string& source, const CsvOptions& options = {});

}  // namespace witan
