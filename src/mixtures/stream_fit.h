// A fit to a table that is read in pieces: on-line EM over the stream, then Newton's method on sums over all of it.
#pragma once

#include <functional>
#include <string>

#include "mixtures/fit.h"
#include "mixtures/table_stream.h"

namespace witan::mixtures {

// What came of the rows that the start was fitted to.
struct StreamedFit {
  Fit fit;            // sums, criteria and certificate over the whole table
  BuiltDesign start;  // the drawn rows, for pictures and calibration
  CsvTable drawn;
};

struct StreamOptions {
  std::int64_t start_rows = 20'000;                     // drawn for the first fit, with its restarts
  std::int64_t passes = 1;                              // of on-line EM
  std::function<void(const std::string& stage)> stage;  // told what begins; may be empty
};

// 1. Restarts and a full fit on rows drawn from the file.
// 2. On-line EM (Titterington 1984, eq. 9; to first order the step-wise EM of Cappe & Moulines 2009): after each
//    mini-batch of b rows, parameters += gamma I^-1 g / b, g the gradient of its log-likelihood (by its posteriors), I
//    a running mean of the outer products of the rows' gradients, and gamma = 1 / (t + t0) as if the drawn rows had
//    been the first t0 batches.
// 3. Newton's method with exact sums over the file, as in memory, up to the certificate; families with kinks keep what
//    2 found.
// A file of no more than start_rows rows is fitted by 1 alone. Throws Error for networks on a larger one.
StreamedFit fit_stream(const TableStream& table, FitOptions options, const StreamOptions& stream,
                       const FitProgress& progress = {});

}  // namespace witan::mixtures
