// Tables: types of columns, quoting, and a message with line and column for everything that is wrong.
#include "formats/csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/random.h"
#include "support/error_message.h"
#include "support/mutate.h"

namespace witan {
namespace csv_test {

CsvTable parse(const std::string& text) { return parse_csv(text, "t.csv"); }
std::string error_of(const std::string& text) {
  return test::error_message([&] { parse(text); });
}

TEST(CsvTest, NumbersTextAndMissingValues) {
  const CsvTable table = parse("a, b ,c\n1,+2.5e3,red\n-4,NA,\n 7 ,\"8\",\"blue, dark\"\n");
  ASSERT_EQ(table.rows, 3);
  EXPECT_TRUE(table.find("a").numeric);
  EXPECT_EQ(table.find("a").numbers, (std::vector<double>{1.0, -4.0, 7.0}));
  EXPECT_EQ(table.find("b").numbers[0], 2500.0);
  EXPECT_TRUE(std::isnan(table.find("b").numbers[1]));
  EXPECT_EQ(table.find("b").numbers[2], 8.0);
  EXPECT_EQ(table.find("b").missing, 1);
  const CsvColumn& c = table.find("c");
  EXPECT_FALSE(c.numeric);
  EXPECT_EQ(c.levels, (std::vector<std::string>{"blue, dark", "red"}));
  EXPECT_EQ(c.codes, (std::vector<std::int32_t>{1, -1, 0}));
}

TEST(CsvTest, AColumnThatTurnsOutToBeTextLateIsReadAgain) {
  const CsvTable table = parse("id,x\n1,1\n02,2\nb3,3\n,4\n");
  EXPECT_FALSE(table.find("id").numeric);
  EXPECT_EQ(table.find("id").levels, (std::vector<std::string>{"02", "1", "b3"}));
  EXPECT_EQ(table.find("id").codes, (std::vector<std::int32_t>{1, 0, 2, -1}));
  EXPECT_EQ(table.find("id").missing, 1);
  EXPECT_EQ(table.find("x").numbers, (std::vector<double>{1.0, 2.0, 3.0, 4.0}));
}

TEST(CsvTest, SeparatorsLineEndsAndByteOrderMark) {
  for (const std::string text : {"a;b\r\n1;2\r\n", "a\tb\n1\t2",
                                 "\xEF\xBB\xBF"
                                 "a,b\n\n1,2\n\n",
                                 "a|b\r1|2\r"}) {
    const CsvTable table = parse(text);
    ASSERT_EQ(table.rows, 1) << text;
    EXPECT_EQ(table.find("b").numbers[0], 2.0) << text;
  }
}

TEST(CsvTest, DecimalCommas) {
  CsvOptions options;
  options.decimal = ',';
  const CsvTable table = parse_csv("a;b;c\n1,5;-2e3;x\n,25;1,5e-1;1.5\n", "t.csv", options);
  EXPECT_EQ(table.find("a").numbers, (std::vector<double>{1.5, 0.25}));
  EXPECT_EQ(table.find("b").numbers, (std::vector<double>{-2000.0, 0.15}));
  EXPECT_EQ(table.find("c").levels, (std::vector<std::string>{"1.5", "x"}));
  // The first line alone would be separated by commas.
  EXPECT_EQ(parse_csv("a,b;c,d,e\n1,5;2\n", "t.csv", options).columns.size(), 2U);
  options.separator = ',';
  EXPECT_EQ(test::error_message([&] { parse_csv("a,b\n", "t.csv", options); }),
            "t.csv: ',' cannot both separate columns and be the decimal point");
  EXPECT_TRUE(is_csv_number(" +1.5e3", '.'));
  EXPECT_FALSE(is_csv_number("1,5", '.'));
  EXPECT_FALSE(is_csv_number("inf", '.'));
  EXPECT_FALSE(is_csv_number("", '.'));
}

TEST(CsvTest, Utf16IsNamedWithAndWithoutItsMark) {
  for (const std::string& text : {std::string("\xFF\xFE"
                                              "y\0",
                                              4),
                                  std::string("y\0,\0x\0\n\0", 8), std::string("\0y\0,\0x", 6)})
    EXPECT_NE(error_of(text).find("UTF-16"), std::string::npos);
}

TEST(CsvTest, QuotedNewlinesMoveLineNumbers) {
  const CsvTable table = parse("a,b\n\"x\ny\",1\n\"say \"\"hi\"\"\",2\n");
  EXPECT_EQ(table.find("a").levels, (std::vector<std::string>{"say \"hi\"", "x\ny"}));
  EXPECT_EQ(table.line_of(0), 2);
  EXPECT_EQ(table.line_of(1), 4);
  EXPECT_EQ(parse("a\n1\n2\n").line_of(1), 3);
}

TEST(CsvTest, MessagesNameLineAndColumn) {
  EXPECT_EQ(error_of(""), "t.csv: empty, expected a first line with the names of the columns");
  EXPECT_EQ(error_of("a,b\n1,2\n3\n"), "t.csv: line 3: 1 field, expected 2");
  EXPECT_EQ(error_of("a,b\n1,2,3\n"), "t.csv: line 2: more fields than the 2 columns of the first line");
  EXPECT_EQ(error_of("a,a\n1,2\n"), "t.csv: line 1: the column 'a' stands twice");
  EXPECT_EQ(error_of("a,b\n1,inf\n"), "t.csv: line 2, column 'b': inf is not a finite number");
  EXPECT_EQ(error_of("a,b\n1,1e999\n"), "t.csv: line 2, column 'b': 1e999 is not a finite number");
  EXPECT_EQ(error_of("a,b\nx,\"open\n1,2\n"), "t.csv: the file ends inside the quoted field that begins in line 2");
  EXPECT_NE(error_of("a,b\nx\"y,2\n").find("t.csv: line 2: a quote inside a field"), std::string::npos);
  EXPECT_NE(error_of("a,b\n1,caf\xE9\n").find("t.csv: line 2, column 'b': not UTF-8"), std::string::npos);
  EXPECT_NE(error_of(std::string("\xFF\xFE"
                                 "a\0",
                                 4))
                .find("UTF-16"),
            std::string::npos);
  EXPECT_NE(error_of(std::string("a,b\n1,x\0y\n", 10)).find("column 'b': not UTF-8 (or a NUL byte)"),
            std::string::npos);
}

TEST(CsvTest, AnOpenQuoteEndsEarly) {
  CsvOptions options;
  options.max_field_bytes = 1000;
  const std::string text = "a,b\n1,\"" + std::string(1 << 18, 'x');
  EXPECT_NE(
      test::error_message([&] { parse_csv(text, "t.csv", options); }).find("line 2: a field is longer than 1000 bytes"),
      std::string::npos);
}

TEST(CsvTest, DamagedTablesAreReadOrRefusedNothingElse) {
  const std::string original = "name,x,y\n\"a, b\",1.5,2\nc,NA,-3e4\n\"d\"\"\ne\",7,8\n";
  Random random(3);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = test::mutated(original, random);
    test::error_message([&] {
      const CsvTable table = parse(text);
      for (const CsvColumn& column : table.columns) {
        ASSERT_EQ(column.numeric ? std::ssize(column.numbers) : std::ssize(column.codes), table.rows);
      }
    });
  }
}

}  // namespace csv_test
}  // namespace witan
