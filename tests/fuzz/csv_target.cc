// Tables of `witan fit`, whole and in pieces. The first byte of an input chooses separator and decimal point.
#include <array>

#include "base/error.h"
#include "formats/csv_stream.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"

namespace witan::fuzz {
namespace csv_fuzz {

constexpr std::array kSeparators = {'\0', ',', ';', '\t'};

std::vector<std::string> seeds() {
  const std::string plain = "y,x,colour\n1,2.5,red\n-3e2,NA,\"dark, blue\"\n4,5,red\n";
  return {std::string(1, '\0') + plain, "\1" + plain, "\6y;x\n1,5;2\n2,5;\"a\n\"\"b\"\"\"\n",
          std::string("\3y\tx\r\n1\t2\r\n\r\n3\tlate text\r\n"), std::string(1, '\0') + "\xEF\xBB\xBFone\n1\n\n2\n"};
}

void check_column(const CsvColumn& column, const CsvTable& table) {
  const std::size_t values = column.numeric ? column.numbers.size() : column.codes.size();
  require(static_cast<std::int64_t>(values) == table.rows, "a column of another length than the table");
  std::int64_t missing = 0;
  for (std::int64_t row = 0; row < table.rows; ++row) missing += column.is_missing(row) ? 1 : 0;
  require(missing == column.missing, "missing values that are not counted");
  for (const std::int32_t code : column.codes) {
    require(code < static_cast<std::int32_t>(column.levels.size()), "a value that is no level");
  }
}

void run(std::string_view input) {
  if (input.empty()) return;
  static const test::TemporaryFolder folder;
  const auto choice = static_cast<unsigned char>(input.front());
  CsvOptions options;
  options.separator = kSeparators.at(choice & 3U);
  options.decimal = (choice & 4U) != 0 ? ',' : '.';
  options.max_field_bytes = 1 << 10;
  input.remove_prefix(1);
  overwrite(folder / "table.csv", input);
  try {
    const CsvTable table = parse_csv(input, "table.csv", options);
    for (const CsvColumn& column : table.columns) check_column(column, table);
    for (std::int64_t row = 1; row < table.rows; ++row) {
      require(table.line_of(row) >= table.line_of(row - 1), "rows in lines out of order");
    }
  } catch (const Error&) {
  }
  try {
    CsvStream stream(folder / "table.csv", 16, options);
    const CsvSchema schema = scan_csv(stream, {});
    std::int64_t rows = 0;
    for (CsvTable piece; stream.next(piece, schema.text_columns);) {
      unify_levels(piece, schema);
      for (const CsvColumn& column : piece.columns) check_column(column, piece);
      rows += piece.rows;
    }
    require(rows == schema.rows, "rows that come in one pass only");
  } catch (const Error&) {
  }
}

}  // namespace csv_fuzz

Target csv_target() { return {"csv", csv_fuzz::seeds, csv_fuzz::run}; }

}  // namespace witan::fuzz
