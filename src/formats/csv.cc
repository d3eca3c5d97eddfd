// libcsv splits, fast_float reads numbers. A column that turns out to be text late is read again as text in a second
// pass.
#include "formats/csv.h"

#include <csv.h>
#include <fast_float/fast_float.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"

namespace witan {
namespace {

constexpr std::size_t kChunk = 1 << 16;  // bytes between two looks at the length of an open field

bool is_missing_text(std::string_view text) {
  static const std::set<std::string_view> words = {"", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "?"};
  return words.contains(text);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Well-formed UTF-8 without NUL (Unicode 15, table 3-7).
bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char lead = byte(i);
    std::size_t length = 1;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead == 0) return false;
    if (lead >= 0x80) {
      if (lead < 0xC2 || lead > 0xF4) return false;
      length = lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : 4);
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (i + length > text.size()) return false;
    for (std::size_t j = 1; j < length; ++j) {
      if (byte(i + j) < low || byte(i + j) > high) return false;
      low = 0x80;
      high = 0xBF;
    }
    i += length;
  }
  return true;
}

// What a decimal point cannot be is the first choice.
char guess_separator(std::string_view text, char decimal) {
  std::map<char, int> counts;
  bool quoted = false;
  for (const char c : text.substr(0, kChunk)) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '\n' || c == '\r')) break;
    if (!quoted && (c == ',' || c == ';' || c == '\t' || c == '|')) ++counts[c];
  }
  char best = decimal == ',' ? ';' : ',';
  for (const auto& [separator, count] : counts) {
    if (separator != decimal && count > counts[best]) best = separator;
  }
  return best;
}

// Infinite where it is said or beyond double; nothing where the text is no number.
std::optional<double> read_number(std::string_view text, char decimal) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0.0;
  const auto [end, error] =
      fast_float::from_chars_advanced(text.data(), text.data() + text.size(), value,
                                      fast_float::parse_options(fast_float::chars_format::general, decimal));
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return std::nullopt;
  return value;
}

// Every other byte of the first two characters is NUL.
bool looks_like_utf16(std::string_view text) {
  return text.size() >= 4 && ((text[1] == '\0' && text[3] == '\0') || (text[0] == '\0' && text[2] == '\0'));
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& source, const CsvOptions& options)
      : text_(text),
        options_(options),
        separator_(options.separator == '\0' ? guess_separator(text, options.decimal) : options.separator) {
    table_.source = source;
    table_.decimal = options.decimal;
    if (separator_ == options.decimal) {
      fail("{}: '{}' cannot both separate columns and be the decimal point", source, separator_);
    }
  }

  CsvTable read() {
    parse();
    if (table_.columns.empty()) fail("{}: empty, expected a first line with the names of the columns", table_.source);
    const bool text_found_late = std::any_of(late_.begin(), late_.end(), [](bool late) { return late; });
    if (text_found_late) {
      second_pass_ = true;
      parse();
    }
    for (CsvColumn& column : table_.columns) sort_levels(column);
    if (regular_lines_) table_.lines.clear();
    return std::move(table_);
  }

 private:
  // libcsv is C: nothing may be thrown through it, so the first failure is kept and thrown when it returns.
  template <class Body>
  void guarded(Body&& body) {
    if (failure_) return;
    try {
      body();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void parse() {
    line_ = 1;
    field_ = 0;
    row_ = -1;
    failure_ = nullptr;
    csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0) throw std::bad_alloc();
    const std::unique_ptr<csv_parser, void (*)(csv_parser*)> owner(&parser, csv_free);
    csv_set_delim(&parser, static_cast<unsigned char>(separator_));
    // Blanks are part of a field until it is known to be a number.
    csv_set_space_func(&parser, [](unsigned char) { return 0; });
    const auto on_field = [](void* bytes, std::size_t size, void* self) {
      auto* reader = static_cast<Reader*>(self);
      reader->guarded([&] { reader->take_field({static_cast<const char*>(bytes), size}); });
    };
    const auto on_line = [](int end, void* self) {
      auto* reader = static_cast<Reader*>(self);
      reader->guarded([&] { reader->end_line(end); });
    };
    for (std::size_t at = 0; at < text_.size(); at += kChunk) {
      const std::string_view chunk = text_.substr(at, kChunk);
      if (csv_parse(&parser, chunk.data(), chunk.size(), on_field, on_line, this) != chunk.size() && !failure_) {
        fail("{}: line {}: {}", table_.source, line_,
             csv_error(&parser) == CSV_EPARSE ? "a quote inside a field that does not begin with one, or text after a "
                                                "closing quote (a quote inside a "
                                                "quoted field is written twice)"
                                              : csv_strerror(csv_error(&parser)));
      }
      if (failure_) std::rethrow_exception(failure_);
      if (static_cast<std::int64_t>(parser.entry_pos) > options_.max_field_bytes) {
        fail("{}: line {}: a field is longer than {} bytes; is a quote not closed?", table_.source, line_,
             options_.max_field_bytes);
      }
    }
    if (csv_fini(&parser, on_field, on_line, this) != 0 && !failure_) {
      fail("{}: the file ends inside the quoted field that begins in line {}", table_.source, line_);
    }
    if (failure_) std::rethrow_exception(failure_);
  }

  void take_field(std::string_view text) {
    if (field_ == 0) row_line_ = line_;
    if (row_ < 0) {
      take_name(text);
    } else {
      if (field_ >= table_.columns.size()) {
        fail("{}: line {}: more fields than the {} columns of the first line", table_.source, row_line_,
             table_.columns.size());
      }
      take_value(field_, text);
    }
    line_ += std::count(text.begin(), text.end(), '\n');
    ++field_;
  }

  void take_name(std::string_view text) {
    if (second_pass_) return;
    if (static_cast<std::int64_t>(field_) >= options_.max_columns) {
      fail("{}: line 1: more than {} columns", table_.source, options_.max_columns);
    }
    text = trimmed(text);
    if (!is_utf8(text)) {
      fail("{}: line {}: the name of column {} is not UTF-8 (or has a NUL byte); convert the file, with iconv for one",
           table_.source, line_, field_ + 1);
    }
    CsvColumn column;
    column.name = text.empty() ? fmt::format("column {}", field_ + 1) : std::string(text);
    if (!names_.insert(column.name).second)
      fail("{}: line {}: the column '{}' stands twice", table_.source, line_, column.name);
    column.numeric = !options_.text_columns.contains(column.name);
    table_.columns.push_back(std::move(column));
    late_.push_back(false);
    codes_.emplace_back();
  }

  void take_value(std::size_t number, std::string_view text) {
    CsvColumn& column = table_.columns[number];
    if (second_pass_ && !late_[number]) return;
    const std::string_view bare = trimmed(text);
    const bool missing = is_missing_text(bare);
    if (column.numeric) {
      if (missing) ++column.missing;
      const std::optional<double> value = missing ? std::numeric_limits<double>::quiet_NaN() : number_of(column, bare);
      if (value) return column.numbers.push_back(*value);
      column.numeric = false;
      column.missing = 0;
      column.numbers = {};
      late_[number] = row_ > 0;
      if (late_[number]) return;
    } else if (late_[number] && !second_pass_) {
      return;
    }
    if (missing) {
      ++column.missing;
      column.codes.push_back(-1);
      return;
    }
    if (!is_utf8(bare)) {
      fail("{}: line {}, column '{}': not UTF-8 (or a NUL byte); convert the file, with iconv for one", table_.source,
           row_line_, column.name);
    }
    const auto [entry, added] =
        codes_[number].try_emplace(std::string(bare), static_cast<std::int32_t>(column.levels.size()));
    if (added) column.levels.emplace_back(bare);
    column.codes.push_back(entry->second);
  }

  std::optional<double> number_of(const CsvColumn& column, std::string_view text) const {
    const std::optional<double> value = read_number(text, options_.decimal);
    if (value && !std::isfinite(*value)) {
      fail("{}: line {}, column '{}': {} is not a finite number", table_.source, row_line_, column.name, text);
    }
    return value;
  }

  void end_line(int end) {
    if (field_ > 0) {
      // A line of nothing is no row, but for a table of one column, where it cannot be told from a missing value.
      if (row_ >= 0) {
        if (field_ != table_.columns.size()) {
          fail("{}: line {}: {} field{}, expected {}", table_.source, row_line_, field_, field_ == 1 ? "" : "s",
               table_.columns.size());
        }
        if (!second_pass_) {
          regular_lines_ = regular_lines_ && row_line_ == row_ + 2;
          table_.lines.push_back(row_line_);
          ++table_.rows;
        }
      }
      ++row_;
      if (row_ == 0) line_ += options_.line_shift;
    }
    field_ = 0;
    if (end == '\n') ++line_;
  }

  static void sort_levels(CsvColumn& column) {
    std::vector<std::int32_t> order(column.levels.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return column.levels[static_cast<std::size_t>(a)] < column.levels[static_cast<std::size_t>(b)];
    });
    std::vector<std::int32_t> rank(order.size());
    std::vector<std::string> sorted;
    for (std::size_t i = 0; i < order.size(); ++i) {
      rank[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
      sorted.push_back(std::move(column.levels[static_cast<std::size_t>(order[i])]));
    }
    column.levels = std::move(sorted);
    for (std::int32_t& code : column.codes) code = code < 0 ? -1 : rank[static_cast<std::size_t>(code)];
  }

  std::string_view text_;
  const CsvOptions& options_;
  char separator_;
  CsvTable table_;
  std::vector<std::unordered_map<std::string, std::int32_t>> codes_;
  std::set<std::string> names_;
  std::vector<bool> late_;  // columns whose first text came after numbers
  bool second_pass_ = false;
  bool regular_lines_ = true;
  std::exception_ptr failure_;
  std::int64_t line_ = 1;
  std::int64_t row_line_ = 1;
  std::int64_t row_ = -1;  // -1: the names
  std::size_t field_ = 0;
};

}  // namespace

bool is_csv_number(std::string_view text, char decimal) {
  const std::optional<double> value = read_number(trimmed(text), decimal);
  return value && std::isfinite(*value);
}

bool CsvColumn::is_missing(std::int64_t row) const {
  const auto at = static_cast<std::size_t>(row);
  return numeric ? std::isnan(numbers[at]) : codes[at] < 0;
}

std::int64_t CsvTable::line_of(std::int64_t row) const {
  return lines.empty() ? row + 2 : lines[static_cast<std::size_t>(row)];
}

const CsvColumn* CsvTable::find_or_null(std::string_view name) const {
  for (const CsvColumn& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

const CsvColumn& CsvTable::find(std::string_view name) const {
  if (const CsvColumn* column = find_or_null(name)) return *column;
  std::vector<std::string> known;
  for (const CsvColumn& column : columns) known.push_back(column.name);
  fail("{}: no column '{}'{}", source, name, suggestion(name, known));
}

CsvTable parse_csv(std::string_view text, const std::string& source, const CsvOptions& options) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || looks_like_utf16(text)) {
    fail("{}: this is UTF-16, expected UTF-8; convert it, with iconv for one", source);
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return Reader(text, source, options).read();
}

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return parse_csv(read_text_file(path), path.string(), options);
  const MappedFile file(path);
  return parse_csv(file.text(), path.string(), options);
}

}  // namespace witan
