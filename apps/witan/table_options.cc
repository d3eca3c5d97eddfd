// Names of characters that a shell would eat.
#include "witan/table_options.h"

namespace witan::cli {

Fields TableOptions::fields() {
  Fields fields("table");
  fields
      .choice("separator", separator, {"auto", ",", ";", "tab", "|"},
              "Between the columns of the table; auto: what its first line has most of")
      .choice("decimal", decimal, {".", ","}, "What stands before the fraction of a number");
  return fields;
}

CsvOptions TableOptions::csv() const {
  CsvOptions options;
  if (separator != "auto") options.separator = separator == "tab" ? '\t' : separator.front();
  options.decimal = decimal.front();
  return options;
}

}  // namespace witan::cli
