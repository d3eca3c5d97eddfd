// The comparison with expected.json, section by section.
#include "support/oracle.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "dispatch/row_experts.h"
#include "layers/kv_cache.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "support/encoder_decoder_oracle.h"
#include "support/oracle_section.h"

namespace witan::test {
namespace {

using Ids = std::vector<std::int32_t>;

class DecoderOracle {
 public:
  DecoderOracle(Decoder& model, const nlohmann::json& expected)
      : model_(model), expected_(expected), tolerance_(expected.at("suggested_atol").get<double>()) {
    for (const nlohmann::json& prompt : expected.at("prompts")) prompts_.push_back(prompt.get<Ids>());
  }

  std::vector<OracleSection> run() {
    whole_prompts();
    token_by_token();
    padded_batch();
    greedy();
    return sections_;
  }

 private:
  std::span<const float> row(const Tensor& logits, std::int64_t index) const {
    return {logits.matrix().row(index), static_cast<std::size_t>(logits.cols())};
  }
  const nlohmann::json& last(std::size_t prompt) const { return expected_.at("logits_last").at(prompt); }

  void whole_prompts() {
    Section last_rows("logits_last", tolerance_);
    Section all_rows("logits_all_first_prompt", tolerance_);
    std::vector<std::vector<RowExperts>> routed;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const RoutingObserver observer = [&](std::int64_t, const Routing& routing, const Tensor&) {
        if (i == 0) routed.push_back(experts_by_row(*routing.assignment));
      };
      Tape off;
      const auto length = static_cast<std::int64_t>(prompts_[i].size());
      const Tensor logits = model_.logits(model_.forward(off, prompts_[i], 1, length, {}, nullptr, {observer}).hidden);
      last_rows.compare(row(logits, length - 1), last(i), fmt::format("prompt {}", i));
      if (i > 0) continue;
      for (std::int64_t position = 0; position < length; ++position) {
        all_rows.compare(row(logits, position), expected_.at("logits_all_first_prompt").at(position),
                         fmt::format("position {}", position));
      }
    }
    sections_.push_back(last_rows.result());
    sections_.push_back(all_rows.result());
    compare_routing(routed);
  }

  void compare_routing(const std::vector<std::vector<RowExperts>>& routed) {
    Section experts("router experts", 0.0);
    Section weights("router weights", tolerance_);
    const nlohmann::json& layers = expected_.value("router", nlohmann::json::array());
    if (layers.size() != routed.size())
      experts.count(fmt::format("{} layers, expected {}", routed.size(), layers.size()));
    for (std::size_t layer = 0; layer < std::min(layers.size(), routed.size()); ++layer) {
      if (routed[layer].size() != layers[layer].at("experts").size()) {
        experts.count(fmt::format("mixture {}: {} tokens, expected {}", layer, routed[layer].size(),
                                  layers[layer].at("experts").size()));
        continue;
      }
      for (std::size_t token = 0; token < routed[layer].size(); ++token) {
        const std::string where = fmt::format("mixture {} token {}", layer, token);
        std::map<std::int32_t, double> wanted;
        const nlohmann::json& ids = layers[layer].at("experts").at(token);
        for (std::size_t i = 0; i < ids.size(); ++i) {
          wanted[ids[i].get<std::int32_t>()] = layers[layer].at("weights").at(token).at(i).get<double>();
        }
        const RowExperts& actual = routed[layer][token];
        bool same = actual.experts.size() == wanted.size();
        for (std::size_t i = 0; i < actual.experts.size(); ++i) {
          const auto found = wanted.find(actual.experts[i]);
          if (found == wanted.end()) {
            same = false;
          } else {
            weights.add(std::fabs(static_cast<double>(actual.weights[i]) - found->second),
                        fmt::format("{} expert {}", where, found->first));
          }
        }
        if (!same) experts.count(where);
      }
    }
    sections_.push_back(experts.result());
    sections_.push_back(weights.result());
  }

  void token_by_token() {
    Section section("token by token", tolerance_);
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      KvCache cache = model_.make_cache();
      // A prompt is known as a whole, however it is fed.
      cache.expect(static_cast<std::int64_t>(prompts_[i].size()));
      for (std::size_t position = 0; position < prompts_[i].size(); ++position) {
        Tape off;
        const Tensor logits = model_.logits(model_.forward(off, {&prompts_[i][position], 1}, 1, 1, {}, &cache).hidden);
        if (i == 0) {
          section.compare(row(logits, 0), expected_.at("logits_all_first_prompt").at(position),
                          fmt::format("prompt 0 position {}", position));
        }
        if (position + 1 == prompts_[i].size()) section.compare(row(logits, 0), last(i), fmt::format("prompt {}", i));
      }
    }
    sections_.push_back(section.result());
  }

  void padded_batch() {
    Section section("batch of unequal prompts", tolerance_);
    std::size_t longest = 0;
    for (const Ids& prompt : prompts_) longest = std::max(longest, prompt.size());
    Ids ids;
    std::vector<std::uint8_t> mask;
    for (const Ids& prompt : prompts_) {
      ids.insert(ids.end(), prompt.begin(), prompt.end());
      ids.insert(ids.end(), longest - prompt.size(), 0);
      mask.insert(mask.end(), prompt.size(), 1);
      mask.insert(mask.end(), longest - prompt.size(), 0);
    }
    Tape off;
    RouterContext context;
    context.row_mask = mask;
    const Tensor logits = model_.logits(
        model_
            .forward(off, ids, static_cast<std::int64_t>(prompts_.size()), static_cast<std::int64_t>(longest), context)
            .hidden);
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i * longest + prompts_[i].size() - 1);
      section.compare(row(logits, at), last(i), fmt::format("prompt {}", i));
    }
    sections_.push_back(section.result());
  }

  void greedy() {
    Section section("greedy", 0.0);
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const Ids wanted = expected_.at("greedy").at(i).get<Ids>();
      KvCache cache = model_.make_cache();
      Ids next = prompts_[i];
      for (std::size_t step = 0; step < wanted.size(); ++step) {
        Tape off;
        const Tensor hidden = model_.forward(off, next, 1, static_cast<std::int64_t>(next.size()), {}, &cache).hidden;
        const Tensor logits = model_.logits(hidden);
        const std::span<const float> scores = row(logits, logits.rows() - 1);
        next = {static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin())};
        if (next.front() != wanted[step]) section.count(fmt::format("prompt {} token {}", i, step));
      }
    }
    sections_.push_back(section.result());
  }

  Decoder& model_;
  const nlohmann::json& expected_;
  double tolerance_;
  std::vector<Ids> prompts_;
  std::vector<OracleSection> sections_;
};

}  // namespace

std::vector<OracleSection> check_oracle(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "expected.json";
  const nlohmann::json expected = read_json_file(path);
  try {
    if (holds_encoder_decoder(folder)) return check_encoder_decoder(*load_encoder_decoder(folder), expected);
    const std::unique_ptr<Decoder> model = load_model(folder);
    return DecoderOracle(*model, expected).run();
  } catch (const nlohmann::json::exception& error) {
    fail("{}: {}", path.string(), error.what());
  }
}

}  // namespace witan::test
