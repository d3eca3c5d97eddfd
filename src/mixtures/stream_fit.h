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
  std::int64_t passes = 2;                              // of on-line EM
  std::function<void(const std::string& stage)> stage;  // told what begins; may be empty
};

// 1. Restarts and a full fit on rows drawn from the file; it and the next best maxima are compared on the whole file,
//    and those that the drawn rows cannot tell apart go on.
// 2. On-line EM (Titterington 1984, eq. 9; to first order the step-wise EM of Cappe & Moulines 2009): after each
//    mini-batch of b rows, parameters += gamma I^-1 g / b, g the gradient of its log-likelihood (by its
//    responsibilities), I a running mean of the outer products of the rows' gradients, and gamma = (t + t0)^-0.6 as if
//    the drawn rows had been the first t0 batches. What a pass arrives at is the mean of its parameters (Polyak &
//    Juditsky 1992); of the first pass, of its second half.
// 3. Newton's method with exact sums over the file, as in memory, up to the certificate; where there is none to be had
//    (no_polish_reason), the best of 1 and 2 stands.
// A file of no more than start_rows rows is fitted by 1 alone. Throws Error for networks and for
// sigma_convention=unbiased on a larger one.
StreamedFit fit_stream(const TableStream& table, FitOptions options, const StreamOptions& stream,
                       const FitProgress& progress = {});

}  // namespace witan::mixtures
