// Every op against PyTorch: results and gradients of the cases in ops.jsonl, which make_ops.py wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "autograd/ops/activation.h"
#include "autograd/ops/attention.h"
#include "autograd/ops/clamp.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/embedding.h"
#include "autograd/ops/grouped_linear.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/rope.h"
#include "autograd/ops/softmax.h"
#include "dispatch/combine.h"
#include "kernels/adamw.h"
#include "layers/moe_layer.h"
#include "support/compare.h"
#include "support/golden_tensor.h"

namespace witan {
namespace ops_test {

using Json = nlohmann::json;

class Case;
using Op = std::function<Tensor(Tape&, Case&)>;

// One line of the file, with its inputs as tensors.
class Case {
 public:
  explicit Case(Json line) : line_(std::move(line)) {
    for (const auto& [name, input] : line_.at("inputs").items()) {
      inputs_.emplace(name, test::leaf_of(input));
    }
  }

  const Tensor& operator[](const std::string& name) const { return inputs_.at(name); }
  bool has(const std::string& name) const { return inputs_.contains(name); }
  template <class T>
  T setting(const std::string& name) const {
    return line_.at("settings").at(name).get<T>();
  }
  float number(const std::string& name) const { return setting<float>(name); }
  std::vector<std::int32_t> ids(const std::string& name) const { return setting<std::vector<std::int32_t>>(name); }
  // Undefined when the case has no such input.
  Tensor optional(const std::string& name) const { return has(name) ? inputs_.at(name) : Tensor(); }

  // `tensor` takes the values of the input `name`, and its place.
  void replace(const std::string& name, const Tensor& tensor) {
    Tensor& input = inputs_.at(name);
    ASSERT_EQ(tensor.numel(), input.numel());
    std::ranges::copy(input.values(), tensor.data());
    input = tensor;
  }

  void expect_agreement(const Op& op) {
    Tape tape(Tape::Mode::kRecording);
    const Tensor output = op(tape, *this);
    const Json& wanted = line_.at("output");
    ASSERT_EQ(output.numel(), test::shape_of(wanted.at("shape")).numel());
    expect_near(output.values(), wanted.at("values"));
    tape.backward(output, Tensor::from(output.shape(), line_.at("upstream").get<std::vector<float>>()));
    for (const auto& [name, input] : line_.at("inputs").items()) {
      SCOPED_TRACE("gradient of " + name);
      const Gradient& gradient = inputs_.at(name).grad();
      ASSERT_TRUE(gradient.present());
      expect_near(gradient.values(), input.at("gradient"));
    }
  }

 private:
  // The file's values are true to 9 digits, so the rounding is ours alone: sums of at most a hundred terms, some of
  // them taken through another op or two.
  static void expect_near(std::span<const float> actual, const Json& wanted) {
    const auto expected = wanted.get<std::vector<float>>();
    const float magnitude = std::max(test::max_abs(expected), 0.1F);
    EXPECT_TRUE(test::near(actual, expected, test::accumulation_tolerance(100, magnitude)));
  }

  Json line_;
  std::map<std::string, Tensor> inputs_;
};

std::shared_ptr<Assignment> assignment_of(Tape& tape, const Case& given) {
  const auto assignment = std::make_shared<Assignment>();
  const auto offsets = given.setting<std::vector<std::int64_t>>("expert_offsets");
  const std::vector<std::int32_t> rows = given.ids("row_indices");
  assignment->num_rows = given.setting<std::int64_t>("num_rows");
  assignment->num_experts = static_cast<std::int64_t>(offsets.size()) - 1;
  assignment->expert_offsets.assign(offsets.begin(), offsets.end());
  assignment->row_indices.assign(rows.begin(), rows.end());
  assignment->combine_weights.assign(rows.size(), 1.0F);
  assignment->choice_ranks.assign(rows.size(), 0);
  assignment->validate();
  tape.keep(assignment);
  return assignment;
}

// The mixture layer of a case. Its weights take the values of the inputs of the same name, and stand in for them when
// gradients are compared.
std::shared_ptr<MoeLayer> layer_of(Tape& tape, Case& given, double balance, double router_z) {
  MoeOptions options;
  options.num_experts = given.setting<std::int64_t>("num_experts");
  options.num_experts_per_tok = given.setting<std::int64_t>("num_experts_per_tok");
  options.moe_intermediate_size = given.setting<std::int64_t>("moe_intermediate_size");
  options.weighting = given.setting<std::string>("weighting");
  options.hidden_act = given.setting<std::string>("hidden_act");
  options.gated = given.setting<bool>("gated");
  options.routed_scaling_factor = given.setting<double>("routed_scaling_factor");
  options.router_aux_loss_coef = balance;
  options.router_z_loss_coef = router_z;
  Random random(1);
  const auto layer = std::make_shared<MoeLayer>(given["rows"].cols(), options, random);
  const std::map<std::string, std::string> names = {{"gate.weight", "gate"},
                                                    {"experts.gate_proj", "gate_proj"},
                                                    {"experts.up_proj", "up_proj"},
                                                    {"experts.down_proj", "down_proj"}};
  for (const Parameter& parameter : layer->parameters()) {
    const std::string& name = names.at(parameter.name);
    if (given.has(name)) given.replace(name, parameter.value);
  }
  tape.keep(layer);
  return layer;
}

Tensor moe_balance(Tape& tape, Case& given) {
  const auto layer = layer_of(tape, given, given.number("router_aux_loss_coef"), given.number("router_z_loss_coef"));
  const MoeOutput output = layer->forward(tape, given["rows"], {.training = true});
  std::vector<Tensor> terms;
  for (const BalanceTerm& term : output.balance) terms.push_back(term.value);
  return ops::weighted_sum(tape, terms, std::vector<float>(terms.size(), 1.0F));
}

ops::AttentionShape attention_shape(const Case& given) {
  return {.batch = given.setting<std::int64_t>("batch"),
          .sequence = given.setting<std::int64_t>("sequence"),
          .heads = given.setting<std::int64_t>("heads"),
          .kv_heads = given.setting<std::int64_t>("kv_heads"),
          .head_dim = given.setting<std::int64_t>("head_dim"),
          .scale = given.number("scale")};
}

Tensor rope(Tape& tape, Case& given) {
  const auto table = std::make_shared<ops::RopeTable>(ops::make_rope_table(given.setting<std::int64_t>("head_dim"),
                                                                           given.setting<std::int64_t>("max_positions"),
                                                                           given.setting<double>("theta")));
  tape.keep(table);
  return ops::rope(tape, given["x"], *table, given.ids("positions"));
}

Activation kind_of(const Case& given) { return parse_activation(given.setting<std::string>("kind")); }

const std::map<std::string, Op>& table() {
  static const std::map<std::string, Op> ops = {
      {"add", [](Tape& t, Case& c) { return ops::add(t, c["a"], c["b"]); }},
      {"multiply", [](Tape& t, Case& c) { return ops::multiply(t, c["a"], c["b"]); }},
      {"scale", [](Tape& t, Case& c) { return ops::scale(t, c["x"], c.number("factor")); }},
      {"scale_rows", [](Tape& t, Case& c) { return ops::scale_rows(t, c["x"], c["factor"]); }},
      {"sigmoid", [](Tape& t, Case& c) { return ops::sigmoid(t, c["x"]); }},
      {"mean", [](Tape& t, Case& c) { return ops::mean(t, c["x"]); }},
      {"clamp", [](Tape& t, Case& c) { return ops::clamp(t, c["x"], c.number("limit")); }},
      {"weighted_sum",
       [](Tape& t, Case& c) {
         return ops::weighted_sum(t, std::vector{c["a"], c["b"], c["c"]}, c.setting<std::vector<float>>("weights"));
       }},
      {"activation", [](Tape& t, Case& c) { return ops::activation(t, c["x"], kind_of(c)); }},
      {"gated_activation", [](Tape& t, Case& c) { return ops::gated_activation(t, c["gate"], c["up"], kind_of(c)); }},
      {"linear", [](Tape& t, Case& c) { return ops::linear(t, c["x"], c["weight"], c.optional("bias")); }},
      {"embedding", [](Tape& t, Case& c) { return ops::embedding(t, c["table"], c.ids("ids")); }},
      {"softmax", [](Tape& t, Case& c) { return ops::softmax(t, c["x"]); }},
      {"log_sum_exp", [](Tape& t, Case& c) { return ops::log_sum_exp(t, c["x"]); }},
      {"rms_norm", [](Tape& t, Case& c) { return ops::rms_norm(t, c["x"], c["weight"], c.number("epsilon")); }},
      {"layer_norm",
       [](Tape& t, Case& c) {
         return ops::layer_norm(t, c["x"], c["weight"], c.optional("bias"), c.number("epsilon"));
       }},
      {"rope", rope},
      {"attention", [](Tape& t, Case& c) { return ops::attention(t, c["q"], c["k"], c["v"], attention_shape(c)); }},
      {"cross_entropy",
       [](Tape& t, Case& c) { return ops::cross_entropy(t, c["hidden"], c["weight"], c.ids("targets")); }},
      {"grouped_linear",
       [](Tape& t, Case& c) {
         return ops::grouped_linear(t, c["x"], *assignment_of(t, c), c.setting<bool>("gather"), c["weight"],
                                    c.optional("bias"));
       }},
      {"combine", [](Tape& t, Case& c) { return combine(t, c["x"], c["weights"], *assignment_of(t, c)); }},
      {"moe_layer",
       [](Tape& t, Case& c) { return layer_of(t, c, 0.0, 0.0)->forward(t, c["rows"], {.training = true}).rows; }},
      {"moe_balance", moe_balance},
  };
  return ops;
}

// A parameter through several steps.
void expect_adamw_agrees(const Json& line) {
  const Json& settings = line.at("settings");
  auto parameter = line.at("start").get<std::vector<float>>();
  std::vector<float> first(parameter.size());
  std::vector<float> second(parameter.size());
  kernels::AdamWStep step{.learning_rate = settings.at("learning_rate").get<float>(),
                          .beta1 = settings.at("beta1").get<float>(),
                          .beta2 = settings.at("beta2").get<float>(),
                          .epsilon = settings.at("epsilon").get<float>(),
                          .weight_decay = settings.at("weight_decay").get<float>()};
  for (std::size_t i = 0; i < line.at("gradients").size(); ++i) {
    step.step = static_cast<std::int64_t>(i) + 1;
    kernels::adamw(parameter, line.at("gradients").at(i).get<std::vector<float>>(), first, second, step);
    EXPECT_TRUE(test::near(parameter, line.at("after").at(i).get<std::vector<float>>(), 1e-6F)) << "step " << i + 1;
  }
}

TEST(OpsGoldenTest, EveryOpAgreesWithPyTorch) {
  std::ifstream file(std::string(WITAN_TEST_DATA) + "/golden/ops.jsonl");
  std::set<std::string> seen;
  for (std::string line; std::getline(file, line);) {
    Json parsed = Json::parse(line);
    const auto op = parsed.at("op").get<std::string>();
    SCOPED_TRACE(op + ", " + parsed.at("name").get<std::string>());
    seen.insert(op);
    if (op == "adamw") {
      expect_adamw_agrees(parsed);
    } else {
      Case(std::move(parsed)).expect_agreement(table().at(op));
    }
  }
  EXPECT_TRUE(seen.contains("adamw"));
  for (const auto& [op, function] : table()) EXPECT_TRUE(seen.contains(op)) << op;
}

}  // namespace ops_test
}  // namespace witan
