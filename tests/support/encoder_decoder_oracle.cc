// The sections of an encoder-decoder.
#include "support/encoder_decoder_oracle.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "dispatch/row_experts.h"
#include "models/encoder_decoder.h"
#include "support/oracle_section.h"

namespace witan::test {
namespace {

using Ids = std::vector<std::int32_t>;
// Of one row: expert -> weight, 0 for a choice that found no room.
using RowChoices = std::map<std::int32_t, double>;

std::vector<RowChoices> choices_by_row(const Assignment& assignment) {
  std::vector<RowChoices> rows(static_cast<std::size_t>(assignment.num_rows));
  const std::vector<RowExperts> served = experts_by_row(assignment);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < served[row].experts.size(); ++i) {
      rows[row][served[row].experts[i]] = served[row].weights[i];
    }
  }
  for (std::size_t i = 0; i < assignment.dropped_rows.size(); ++i) {
    rows[static_cast<std::size_t>(assignment.dropped_rows[i])][assignment.dropped_experts[i]] = 0.0;
  }
  return rows;
}

std::span<const float> row_of(const Tensor& matrix, std::int64_t row) {
  return {matrix.matrix().row(row), static_cast<std::size_t>(matrix.cols())};
}

class EncoderDecoderOracle {
 public:
  EncoderDecoderOracle(const EncoderDecoder& model, const nlohmann::json& expected)
      : model_(model),
        expected_(expected),
        tolerance_(expected.at("suggested_atol").get<double>()),
        experts_("router experts", 0.0),
        weights_("router weights", tolerance_),
        dropped_("dropped tokens", 0.0) {
    for (const nlohmann::json& prompt : expected.at("encoder_prompts")) prompts_.push_back(prompt.get<Ids>());
  }

  std::vector<OracleSection> run() {
    whole_outputs();
    greedy("greedy", true);
    greedy("greedy_nocache", false);
    return sections_;
  }

 private:
  struct Mixture {
    std::string router;
    std::vector<RowChoices> rows;
  };

  void whole_outputs() {
    Section hidden("encoder_last_hidden", tolerance_);
    Section logits("decoder_logits", tolerance_);
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      std::vector<Mixture> mixtures;
      const EncoderDecoderObserver observer{
          .mixtures = [&](const std::string& router, const Routing& routing, const Tensor& /*rows*/) {
            mixtures.push_back({router, choices_by_row(*routing.assignment)});
          }};
      const Tensor encoded = model_.encode(prompts_[i], observer);
      if (i == 0) compare_rows(hidden, encoded, expected_.at("encoder_last_hidden_first_prompt"), "prompt 0");
      Translation translation = model_.start(encoded);
      const Ids ids = expected_.at("decoder_input_ids").at(i).get<Ids>();
      const Tensor actual = model_.logits(model_.decode(ids, translation, observer));
      compare_rows(logits, actual, expected_.at("decoder_logits").at(i), fmt::format("prompt {}", i));
      compare_routing(mixtures, i);
    }
    for (const Section* section : {&hidden, &logits, &experts_, &weights_, &dropped_}) {
      sections_.push_back(section->result());
    }
  }

  static void compare_rows(Section& section, const Tensor& actual, const nlohmann::json& rows,
                           const std::string& where) {
    if (static_cast<std::size_t>(actual.rows()) != rows.size()) {
      section.add(std::numeric_limits<double>::infinity(),
                  fmt::format("{}: {} rows, expected {}", where, actual.rows(), rows.size()));
      return;
    }
    for (std::int64_t row = 0; row < actual.rows(); ++row) {
      section.compare(row_of(actual, row), rows.at(static_cast<std::size_t>(row)),
                      fmt::format("{} position {}", where, row));
    }
  }

  void compare_routing(const std::vector<Mixture>& mixtures, std::size_t prompt) {
    const nlohmann::json& layers = expected_.at("router").at(prompt);
    if (layers.size() != mixtures.size()) {
      experts_.count(fmt::format("prompt {}: {} mixtures, expected {}", prompt, mixtures.size(), layers.size()));
      return;
    }
    std::int64_t lost = 0;
    for (std::size_t layer = 0; layer < mixtures.size(); ++layer) {
      if (layers[layer].at("layer") != mixtures[layer].router) experts_.count(mixtures[layer].router);
      if (mixtures[layer].rows.size() != layers[layer].at("experts").size()) {
        experts_.count(fmt::format("prompt {} {}: {} tokens, expected {}", prompt, mixtures[layer].router,
                                   mixtures[layer].rows.size(), layers[layer].at("experts").size()));
        continue;
      }
      for (std::size_t token = 0; token < mixtures[layer].rows.size(); ++token) {
        const RowChoices& row = mixtures[layer].rows[token];
        compare_row(row, layers[layer], token,
                    fmt::format("prompt {} {} token {}", prompt, mixtures[layer].router, token));
        const bool kept = std::ranges::any_of(row, [](const auto& choice) { return choice.second > 0.0; });
        lost += kept ? 0 : 1;
      }
    }
    const auto wanted = expected_.at("dropped_tokens_per_prompt").at(prompt).get<std::int64_t>();
    // With two choices per token it is not said whether one that lost the second counts: only the weights tell.
    const bool one_choice = model_.config().routing.choices == 1;
    if (one_choice && lost != wanted) dropped_.count(fmt::format("prompt {}: {}, expected {}", prompt, lost, wanted));
  }

  void compare_row(const RowChoices& actual, const nlohmann::json& layer, std::size_t token, const std::string& where) {
    const Ids wanted = layer.at("experts").at(token).get<Ids>();
    bool same = actual.size() == wanted.size();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto found = actual.find(wanted[i]);
      if (found == actual.end()) {
        same = false;
        continue;
      }
      weights_.add(std::fabs(found->second - layer.at("weights").at(token).at(i).get<double>()),
                   fmt::format("{} expert {}", where, wanted[i]));
    }
    if (!same) experts_.count(where);
  }

  void greedy(const char* key, bool cached) {
    Section section(key, 0.0);
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const Ids wanted = expected_.at(key).at(i).get<Ids>();
      const Tensor encoded = model_.encode(prompts_[i]);
      Translation translation = model_.start(encoded);
      Ids ids = {static_cast<std::int32_t>(model_.config().decoder_start_token_id)};
      for (std::size_t step = 0; step < wanted.size(); ++step) {
        if (!cached) translation = model_.start(encoded);
        const Tensor logits = model_.logits(model_.decode(cached ? Ids{ids.back()} : ids, translation));
        const std::span<const float> scores = row_of(logits, logits.rows() - 1);
        ids.push_back(static_cast<std::int32_t>(std::ranges::max_element(scores) - scores.begin()));
        if (ids.back() != wanted[step]) section.count(fmt::format("prompt {} token {}", i, step));
      }
    }
    sections_.push_back(section.result());
  }

  const EncoderDecoder& model_;
  const nlohmann::json& expected_;
  double tolerance_;
  Section experts_, weights_, dropped_;
  std::vector<Ids> prompts_;
  std::vector<OracleSection> sections_;
};

}  // namespace

std::vector<OracleSection> check_encoder_decoder(const EncoderDecoder& model, const nlohmann::json& expected) {
  return EncoderDecoderOracle(model, expected).run();
}

}  // namespace witan::test
