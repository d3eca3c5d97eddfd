// How tables on disk are written, for the commands that read them.
#pragma once

#include <string>

#include "base/config.h"
#include "formats/csv.h"

namespace witan::cli {

struct TableOptions {
  std::string separator = "auto";
  std::string decimal = ".";

  // References into this object.
  Fields fields();
  CsvOptions csv() const;
};

}  // namespace witan::cli
