// Routers, gates and balance losses against public implementations: the cases of routers.jsonl, which make_routers.py
// wrote. Choices must be the same, numbers agree within f32 rounding.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "gates/table.h"
#include "layers/moe_layer.h"
#include "layers/output_mixture.h"
#include "routers/smooth_load.h"
#include "routers/table.h"
#include "support/compare.h"
#include "support/golden_tensor.h"

namespace witan {
namespace routers_test {

using Json = nlohmann::json;

// Both sides round: sums of some hundred terms, some of them taken through a few ops more.
void expect_near(std::span<const float> actual, const Json& wanted, const char* what) {
  const auto expected = wanted.get<std::vector<float>>();
  const float magnitude = std::max(test::max_abs(expected), 0.01F);
  EXPECT_TRUE(test::near(actual, expected, test::accumulation_tolerance(400, magnitude))) << what;
}

// One line of the file, with its inputs as tensors.
class GoldenCase {
 public:
  explicit GoldenCase(Json line) : line_(std::move(line)) {
    options_.fields().set_all(line_.at("settings"));
    for (const auto& [name, input] : line_.at("inputs").items()) inputs_.emplace(name, test::leaf_of(input));
  }

  const Tensor& operator[](const std::string& name) const { return inputs_.at(name); }
  bool has(const std::string& key) const { return line_.contains(key); }
  const Json& at(const std::string& key) const { return line_.at(key); }
  const MoeOptions& options() const { return options_; }

  std::vector<std::uint8_t> row_mask() const {
    if (has("row_mask")) return at("row_mask").get<std::vector<std::uint8_t>>();
    const auto given = inputs_.find("row_mask");
    if (given == inputs_.end()) return {};
    return {given->second.values().begin(), given->second.values().end()};
  }

  // As the options say, with the parameters and buffers that are among the inputs.
  std::unique_ptr<Router> router(std::int64_t hidden_size) const {
    Random random(1);
    std::unique_ptr<Router> made = find_router(options_.router).make(options_, hidden_size, random);
    fill(made->parameters());
    fill(made->buffers());
    return made;
  }
  void fill(const std::vector<Parameter>& parameters) const {
    for (const Parameter& parameter : parameters) {
      const auto given = inputs_.find(parameter.name);
      if (given == inputs_.end()) continue;
      ASSERT_EQ(parameter.value.numel(), given->second.numel()) << parameter.name;
      std::ranges::copy(given->second.values(), Tensor(parameter.value).data());
    }
  }

  // After backward(): those of `parameters`, and of the inputs that are no parameters.
  void expect_gradients(const std::vector<Parameter>& parameters = {}) const {
    for (const auto& [name, wanted] : at("gradients").items()) {
      const auto named = std::ranges::find(parameters, name, &Parameter::name);
      const Tensor& tensor = named == parameters.end() ? inputs_.at(name) : named->value;
      ASSERT_TRUE(tensor.grad().present()) << name;
      expect_near(tensor.grad().values(), wanted, name.c_str());
    }
  }

 private:
  Json line_;
  MoeOptions options_;
  std::map<std::string, Tensor> inputs_;
};

void expect_same_route(const GoldenCase& given) {
  Tape tape(Tape::Mode::kRecording);
  const Tensor& scores = given["scores"];
  const std::vector<std::uint8_t> mask = given.row_mask();
  const Tensor rows = Tensor::zeros(scores.shape());
  const auto router = given.router(scores.cols());
  Random random(5);
  const Routing routing = router->route(
      tape, scores, {.training = given.at("training"), .row_mask = mask, .random = &random, .rows = &rows});
  const Assignment& assignment = *routing.assignment;
  assignment.validate();

  std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>> entries;  // row, expert, place in the assignment
  for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
    for (const std::int32_t row : assignment.rows_of(e)) {
      entries.emplace_back(row, e, static_cast<std::int64_t>(entries.size()));
    }
  }
  std::ranges::sort(entries);
  std::vector<std::vector<std::int64_t>> served;
  for (const auto& [row, expert, place] : entries) served.push_back({row, expert});
  ASSERT_EQ(served, given.at("served").get<std::vector<std::vector<std::int64_t>>>());
  if (!given.has("weights")) return;

  std::vector<float> weights;
  for (const auto& [row, expert, place] : entries) weights.push_back(routing.combine_weights.data()[place]);
  expect_near(weights, given.at("weights"), "weights");
  if (!given.has("upstream")) return;
  const Tensor upstream = Tensor::zeros(routing.combine_weights.shape());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    upstream.data()[std::get<2>(entries[i])] = given.at("upstream")[i].get<float>();
  }
  tape.backward(routing.combine_weights, upstream);
  given.expect_gradients();
}

// Null for the loss over all layers at once, which is no rule of a layer.
std::unique_ptr<BalanceRule> rule_of(const GoldenCase& given) {
  const auto rules = balance_table();
  const auto entry = std::ranges::find(rules, given.at("rule").get<std::string>(), &BalanceEntry::name);
  return entry == rules.end() ? nullptr : entry->make(given.options());
}

void expect_same_balance(const GoldenCase& given) {
  Tape tape(Tape::Mode::kRecording);
  const std::vector<std::uint8_t> mask = given.row_mask();
  Random random(5);
  const RouterContext context{
      .training = true, .rows_per_sequence = given.at("rows_per_sequence"), .row_mask = mask, .random = &random};
  const auto rule = rule_of(given);
  std::vector<MoeOutput> layers(given.at("inputs").size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Tensor& scores = given["scores" + std::to_string(i)];
    layers[i].routing = given.router(scores.cols())->route(tape, scores, context);
    if (rule == nullptr) continue;
    layers[i].balance = {rule->term(tape, {ops::log_sum_exp(tape, scores), layers[i].routing, context})};
  }
  const std::vector<BalanceTerm> terms = combine_balance(tape, given.options(), layers, context);
  ASSERT_EQ(terms.size(), 1U);
  expect_near({&terms[0].unscaled, 1}, given.at("loss"), "loss");
  expect_near(terms[0].value.values(), given.at("loss"), "loss, scaled by 1");
  tape.backward(terms[0].value, Tensor::full({}, 1.0F));
  given.expect_gradients();
}

void expect_same_smooth_load(const GoldenCase& given) {
  Tape tape(Tape::Mode::kRecording);
  const Tensor load = smooth_load(tape, given["clean"], {given["noisy"], given["deviations"]},
                                  given.at("num_experts_per_tok").get<std::int64_t>(), {});
  expect_near(load.values(), given.at("load"), "load");
  tape.backward(load, Tensor::from(load.shape(), given.at("upstream").get<std::vector<float>>()));
  given.expect_gradients();
}

void expect_same_scores(const GoldenCase& given) {
  Tape tape(Tape::Mode::kRecording);
  const Tensor& rows = given["rows"];
  Random random(1);
  const auto gate = find_gate(given.options().gate).make(given.options(), rows.cols(), given["weight"].rows(), random);
  given.fill(gate->parameters());
  const Tensor scores = gate->scores(tape, rows);
  expect_near(scores.values(), given.at("scores").at("values"), "scores");
  tape.backward(scores, Tensor::from(scores.shape(), given.at("upstream").get<std::vector<float>>()));
  given.expect_gradients(gate->parameters());
}

// With experts that change nothing.
void expect_same_soft_routing(const GoldenCase& given) {
  Tape tape(Tape::Mode::kRecording);
  const Tensor& rows = given["rows"];
  const auto router = given.router(rows.cols());
  const Routing routing =
      router->route(tape, {}, {.training = true, .rows_per_sequence = given.at("rows_per_sequence"), .rows = &rows});
  expect_near(routing.expert_rows.values(), given.at("expert_rows").at("values"), "expert rows");
  const Tensor output = routing.spread(tape, routing.expert_rows);
  expect_near(output.values(), given.at("output").at("values"), "output");
  tape.backward(output, Tensor::from(output.shape(), given.at("upstream").get<std::vector<float>>()));
  given.expect_gradients(router->parameters());
}

// The order of a head's neurons does not matter.
void expect_same_retrieval(const GoldenCase& given) {
  Tape off;
  const Tensor& rows = given["rows"];
  const Routing routing = given.router(rows.cols())->route(off, {}, {.training = true, .rows = &rows});
  const auto experts = given.at("experts").get<std::vector<std::int32_t>>();
  const auto weights = given.at("weights").get<std::vector<float>>();
  ASSERT_EQ(routing.retrieval->experts->size(), experts.size());
  const std::size_t per_head = experts.size() / static_cast<std::size_t>(rows.rows()) /
                               static_cast<std::size_t>(given.at("settings").at("peer_heads").get<std::int64_t>());
  for (std::size_t begin = 0; begin < experts.size(); begin += per_head) {
    std::map<std::int32_t, float> wanted;
    std::map<std::int32_t, float> found;
    for (std::size_t i = begin; i < begin + per_head; ++i) {
      wanted[experts[i]] = weights[i];
      found[(*routing.retrieval->experts)[i]] = routing.retrieval->weights.data()[i];
    }
    ASSERT_EQ(found.size(), wanted.size());
    for (const auto& [expert, weight] : wanted) {
      ASSERT_TRUE(found.contains(expert)) << expert;
      EXPECT_NEAR(found.at(expert), weight, 1e-5);
    }
  }
}

void expect_same_bias(const GoldenCase& given) {
  const auto router = given.router(1);
  router->after_step(given.at("requested_rows").get<std::vector<std::int64_t>>());
  expect_near(router->buffers().at(0).value.values(), given.at("bias"), "bias");
}

void expect_same_distribution(const GoldenCase& given) {
  const Tensor& hidden = given["hidden"];
  const OutputMixture mixture(hidden.cols(), given["prior.weight"].rows());
  given.fill(mixture.parameters());
  expect_near(mixture.log_probabilities(hidden, given["head"]).values(), given.at("log_probabilities").at("values"),
              "log-probabilities");
}

const std::map<std::string, std::function<void(const GoldenCase&)>>& kinds() {
  static const std::map<std::string, std::function<void(const GoldenCase&)>> all = {
      {"route", expect_same_route},
      {"balance", expect_same_balance},
      {"smooth_load", expect_same_smooth_load},
      {"gate", expect_same_scores},
      {"soft_moe", expect_same_soft_routing},
      {"peer", expect_same_retrieval},
      {"bias_update", expect_same_bias},
      {"output_mixture", expect_same_distribution},
  };
  return all;
}

TEST(RoutersGoldenTest, AgreeWithPublicCode) {
  std::ifstream file(std::string(WITAN_TEST_DATA) + "/golden/routers.jsonl");
  std::set<std::string> seen;
  for (std::string line; std::getline(file, line);) {
    Json parsed = Json::parse(line);
    const Json& origin = parsed.at("origin");
    SCOPED_TRACE(origin.at("repository").get<std::string>() + ", " + origin.at("function").get<std::string>() + ", " +
                 parsed.at("name").get<std::string>());
    EXPECT_EQ(origin.at("commit").get<std::string>().size(), 40U);
    EXPECT_FALSE(origin.at("file").get<std::string>().empty());
    const auto kind = parsed.at("kind").get<std::string>();
    seen.insert(kind);
    kinds().at(kind)(GoldenCase(std::move(parsed)));
  }
  for (const auto& [kind, function] : kinds()) EXPECT_TRUE(seen.contains(kind)) << kind;
}

}  // namespace routers_test
}  // namespace witan
