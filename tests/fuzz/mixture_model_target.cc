// The model file of `witan fit`, as `witan predict` reads it, and a row that it is asked about.
#include "base/error.h"
#include "base/file.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "mixtures/model_file.h"
#include "mixtures/predict.h"
#include "support/temporary_folder.h"

namespace witan::fuzz {
namespace mixture_model_fuzz {

namespace mx = mixtures;

constexpr const char* kTable =
    "y,x,c\n1.1,1,a\n2.3,2,b\n2.9,3,a\n4.2,4,b\n5.1,5,a\n5.8,6,b\n7.3,7,a\n8.1,8,b\n3.1,9,a\n2.2,10,b\n0.8,11,a\n";

const test::TemporaryFolder& scratch() {
  static const test::TemporaryFolder folder;
  return folder;
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const char* gate : {"softmax", "gaussian"}) {
    mx::DesignRequest request;
    request.formula = mx::parse_formula("y ~ x + c | gate ~ x");
    const mx::BuiltDesign built = mx::build_design(parse_csv(kTable, "t.csv"), request);
    mx::FitOptions options;
    options.gate = gate;
    options.restarts = 1;
    const std::filesystem::path file = scratch() / "seed.json";
    mx::write_model(file, mx::fit_mixture(built.sample, options), built.design);
    all.push_back(read_text_file(file));
  }
  return all;
}

void run(std::string_view input) {
  overwrite(scratch() / "model.json", input);
  try {
    const mx::FittedModel fitted = mx::read_model(scratch() / "model.json");
    mx::BuiltDesign built =
        mx::apply_design(parse_csv(kTable, "t.csv"), fitted.design, fitted.frame.classes, fitted.frame.target_kind);
    const mx::Prepared rows = mx::Prepared::under(fitted.frame, std::move(built.sample));
    const mx::RowPrediction row = mx::Predictor(*fitted.model, rows).row(0, std::vector<double>{0.5});
    require(row.gate.size() == static_cast<std::size_t>(fitted.options.experts), "a gate of other experts");
  } catch (const Error&) {
  }
}

}  // namespace mixture_model_fuzz

Target mixture_model_target() { return {"mixture_model", mixture_model_fuzz::seeds, mixture_model_fuzz::run}; }

}  // namespace witan::fuzz
