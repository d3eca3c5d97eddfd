// Tables in pieces: the same rows as from the whole, whatever the size of the pieces.
#include "formats/csv_stream.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/random.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace csv_stream_test {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Rows of a stream, one text each.
std::vector<std::string> rows_in_pieces(const std::filesystem::path& path, std::int64_t piece_bytes) {
  CsvStream stream(path, piece_bytes);
  const CsvSchema schema = scan_csv(stream, {});
  std::vector<std::string> rows;
  for (CsvTable piece; stream.next(piece, schema.text_columns);) {
    unify_levels(piece, schema);
    for (std::int64_t row = 0; row < piece.rows; ++row) {
      std::string text = fmt::format("{}:", piece.line_of(row));
      for (const CsvColumn& column : piece.columns) {
        const auto at = static_cast<std::size_t>(row);
        text += column.is_missing(row) ? "NA"
                : column.numeric       ? fmt::format("{}", column.numbers[at])
                                       : column.levels[static_cast<std::size_t>(column.codes[at])];
        text += "|";
      }
      rows.push_back(text);
    }
  }
  EXPECT_EQ(schema.rows, std::ssize(rows));
  return rows;
}

TEST(CsvStreamTest, PiecesOfAnySizeHoldTheSameRows) {
  const test::TemporaryFolder folder;
  Random random(2);
  // Quoted line ends and separators, blank lines, missing values, and text that comes late.
  std::string text = "\xEF\xBB\xBFid,\"na\nme\",value\r\n";
  for (int n = 0; n < 60; ++n) {
    text += fmt::format("{},\"a{}b, {}\"\"\",{}\n", n < 40 ? std::to_string(n) : "late" + std::to_string(n % 3),
                        n % 5 == 0 ? "\n" : "", n % 4, n % 7 == 0 ? "" : fmt::format("{}", random.uniform_open()));
    if (n % 11 == 0) text += "\n";
  }
  text.pop_back();  // the last line may end without its end
  write(folder / "t.csv", text);
  const std::vector<std::string> whole = rows_in_pieces(folder / "t.csv", 1 << 20);
  ASSERT_EQ(whole.size(), 60U);
  EXPECT_EQ(whole[0].substr(0, whole[0].find(':')), "3");  // the first line has two
  for (const std::int64_t size : {1, 7, 64, 300, 1000})
    EXPECT_EQ(rows_in_pieces(folder / "t.csv", size), whole) << size;
  // The whole table, read at once, agrees.
  const CsvTable table = read_csv(folder / "t.csv");
  EXPECT_EQ(table.rows, 60);
  EXPECT_FALSE(table.find("id").numeric);
  EXPECT_EQ(fmt::format("{}", table.line_of(20)), whole[20].substr(0, whole[20].find(':')));
}

TEST(CsvStreamTest, MessagesNameLinesOfTheFile) {
  const test::TemporaryFolder folder;
  std::string text = "a,b\n";
  for (int n = 0; n < 100; ++n) text += "1,2\n";
  write(folder / "t.csv", text + "1,2,3\n");
  const std::string message = test::error_message([&] { rows_in_pieces(folder / "t.csv", 32); });
  EXPECT_NE(message.find("line 102: more fields than the 2 columns"), std::string::npos) << message;
  write(folder / "q.csv", text + "1,\"2\n");
  const std::string open = test::error_message([&] { rows_in_pieces(folder / "q.csv", 32); });
  EXPECT_NE(open.find("ends inside the quoted field that begins in line 102"), std::string::npos) << open;
  write(folder / "e.csv", "");
  EXPECT_NE(test::error_message([&] { rows_in_pieces(folder / "e.csv", 32); }).find("empty"), std::string::npos);
  EXPECT_NE(test::error_message([&] { CsvStream stream(folder / "none.csv"); }).find("no such file"),
            std::string::npos);
}

TEST(CsvStreamTest, ColumnsWithTooManyTextsKeepNone) {
  const test::TemporaryFolder folder;
  std::string text = "id,x\n";
  for (int n = 0; n < 1500; ++n) text += fmt::format("r{},{}\n", n, n);
  write(folder / "t.csv", text);
  CsvStream stream(folder / "t.csv", 512);
  const CsvSchema schema = scan_csv(stream, {});
  EXPECT_TRUE(schema.crowded.contains("id"));
  EXPECT_TRUE(schema.levels.at("id").empty());
  EXPECT_EQ(schema.rows, 1500);
}

}  // namespace csv_stream_test
}  // namespace witan
