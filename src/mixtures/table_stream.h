// A table on disk as design columns, piece by piece: what build_design makes of a table that fits into memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "formats/csv_stream.h"
#include "mixtures/design.h"
#include "mixtures/prepare.h"
#include "mixtures/row_source.h"

namespace witan::mixtures {

class TableStream {
 public:
  // Reads the whole file for its types, levels, classes, means and spreads. `progress` is told the share of the file
  // read so far, in every pass; may be empty. Throws Error for what build_design and Prepared::from refuse.
  TableStream(const std::filesystem::path& path, DesignRequest request, std::function<void(double)> progress,
              CsvOptions csv = {});

  std::int64_t rows() const { return schema_.rows; }  // of the file
  std::int64_t dropped() const { return dropped_; }   // with missing values
  const KnownScales& scales() const { return scales_; }

  // `count` rows of the file in their order, drawn without replacement.
  CsvTable draw(std::int64_t count, std::uint64_t seed) const;
  const DesignRequest& request() const { return request_; }

  // Calls body with each piece's columns in the user's units, rows of weight 0 left out; not with empty pieces.
  void each(const std::function<void(Sample&)>& body) const;

 private:
  void each_table(const std::function<void(CsvTable&)>& body) const;
  void find_classes();
  void measure();

  DesignRequest request_;
  std::function<void(double)> progress_;
  std::string source_;  // for messages
  mutable CsvStream stream_;
  CsvSchema schema_;
  KnownScales scales_;
  std::int64_t dropped_ = 0;
};

// The rows of a stream under a frame.
class StreamedRows : public RowSource {
 public:
  StreamedRows(const TableStream& table, const Frame& frame) : table_(table), frame_(frame) {}
  void each(const std::function<void(const Data&)>& body) const override;
  double total_weight() const override { return table_.scales().total_weight; }

 private:
  const TableStream& table_;
  const Frame& frame_;
};

}  // namespace witan::mixtures
