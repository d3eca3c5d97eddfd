// Field by field.
#include "inspection/inspection_json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "inspection/inspection.h"
#include "inspection/pairs.h"
#include "report/json_field.h"

namespace witan {
namespace {

using Json = nlohmann::ordered_json;

Json layers_json(const std::vector<LayerInventory>& layers) {
  Json list = Json::array();
  for (const LayerInventory& layer : layers) {
    list.push_back({{"stack", layer.stack},
                    {"layer", layer.layer},
                    {"experts", layer.experts},
                    {"experts_per_token", layer.experts_per_token},
                    {"width", layer.width},
                    {"shared_width", layer.shared_width},
                    {"window", layer.window},
                    {"parameters", layer.parameters.total},
                    {"active", layer.parameters.active}});
  }
  return list;
}

Json storage_json(const std::optional<Storage>& storage) {
  if (!storage) return nullptr;
  Json kinds = Json::array();
  for (const StoredKind& kind : storage->kinds) {
    kinds.push_back({{"dtype", kind.dtype}, {"tensors", kind.tensors}, {"bytes", kind.bytes}});
  }
  return {{"files", storage->files}, {"tensors", storage->tensors}, {"bytes", storage->bytes}, {"dtypes", kinds}};
}

Json tokenizer_json(const std::optional<TokenizerInventory>& tokenizer) {
  if (!tokenizer) return nullptr;
  return {{"vocab_size", tokenizer->vocab_size},
          {"files", tokenizer->files},
          {"bos", tokenizer->bos},
          {"eos", tokenizer->eos},
          {"chat_template", tokenizer->chat_template}};
}

template <class Range, class Number>
Json numbers(const Range& range, const Number& number) {
  Json list = Json::array();
  for (const auto& entry : range) list.push_back(Json(rounded(static_cast<double>(number(entry)))));
  return list;
}

Json weights_json(const std::vector<WeightStatistics>& weights) {
  if (weights.empty()) return nullptr;
  Json list = Json::array();
  for (const WeightStatistics& layer : weights) {
    Json matrices = Json::array();
    for (std::size_t m = 0; m < layer.matrices.size(); ++m) {
      const std::vector<MatrixStatistics>& values = layer.values[m];
      const auto of = [&](double MatrixStatistics::*field) {
        return numbers(values, [&](const MatrixStatistics& one) { return one.*field; });
      };
      matrices.push_back({{"name", layer.matrices[m]},
                          {"norm", of(&MatrixStatistics::norm)},
                          {"spectral_norm", of(&MatrixStatistics::spectral_norm)},
                          {"stable_rank", of(&MatrixStatistics::stable_rank)},
                          {"kurtosis", of(&MatrixStatistics::kurtosis)},
                          {"largest", of(&MatrixStatistics::largest)}});
    }
    const auto experts = static_cast<std::int64_t>(layer.values.front().size());
    const WeightSimilarity& similarity = layer.similarity;
    list.push_back({{"stack", layer.stack},
                    {"layer", layer.layer},
                    {"experts", experts},
                    {"matrices", std::move(matrices)},
                    {"router_norm", numbers(layer.router_norms, [](double norm) { return norm; })},
                    {"cosine", pairs_json(similarity.cosine, experts)},
                    {"matched", pairs_json(similarity.matched, experts)},
                    {"matched_by_chance", rounded(similarity.matched_by_chance)},
                    {"matched_neurons", similarity.matched_neurons}});
  }
  return list;
}

// Of the rows that expert a served, the share that b served too (Muennighoff et al. 2024): [a][b].
std::vector<double> shares_together(const LayerAnalysis& layer) {
  std::vector<double> shares;
  for (std::size_t a = 0; a < layer.together.size(); ++a) {
    const auto rows = static_cast<double>(layer.together[a][a]);
    for (const std::int64_t both : layer.together[a])
      shares.push_back(rows > 0.0 ? static_cast<double>(both) / rows : 0.0);
  }
  return shares;
}

Json outputs_json(const LayerOutputs& outputs, const Tokenizer& tokenizer) {
  const auto experts = static_cast<std::int64_t>(outputs.experts.size());
  const auto of = [&](double ExpertOutputs::*field) {
    return numbers(outputs.experts, [&](const ExpertOutputs& one) { return one.*field; });
  };
  Json tokens = Json::array();
  Json channels = Json::array();
  for (const ExpertOutputs& expert : outputs.experts) {
    channels.push_back(expert.channel);
    tokens.push_back(expert.token < 0 ? Json() : Json(readable_token(tokenizer, expert.token)));
  }
  return {{"rows", numbers(outputs.experts, [](const ExpertOutputs& one) { return one.rows; })},
          {"norm", of(&ExpertOutputs::norm)},
          {"weight", of(&ExpertOutputs::weight)},
          {"weighted_norm", of(&ExpertOutputs::weighted_norm)},
          {"largest", of(&ExpertOutputs::largest)},
          {"largest_channel", std::move(channels)},
          {"largest_token", std::move(tokens)},
          {"sampled_rows", outputs.sampled_rows},
          {"sampled_norm", numbers(outputs.sampled_norm, [](double norm) { return norm; })},
          {"rank_correlation", outputs.rank_correlation ? Json(rounded(*outputs.rank_correlation)) : Json()},
          {"largest_chosen", rounded(outputs.largest_chosen)},
          {"chosen_by_chance", rounded(outputs.chosen_by_chance)},
          {"cosine", pairs_json(outputs.cosine, experts)}};
}

Json text_json(const std::optional<TextInspection>& text, const Tokenizer* tokenizer) {
  if (!text) return nullptr;
  WITAN_ASSERT(tokenizer != nullptr);
  Json domains = Json::array();
  for (std::size_t d = 0; d < text->domains.size(); ++d) {
    const DomainLoss& loss = text->evaluation.domains[d];
    domains.push_back({{"name", text->domains[d]},
                       {"tokens", loss.tokens},
                       {"bytes", loss.bytes},
                       {"bits_per_byte", loss.tokens > 0 ? Json(rounded(loss.bits_per_byte())) : Json()}});
  }
  Json layers = Json::array();
  for (const LayerInspection& layer : text->layers) {
    Json json = {{"stack", layer.stack}};
    json.update(layer_analysis_json(layer.routing));
    json["together"] =
        pairs_json(shares_together(layer.routing), static_cast<std::int64_t>(layer.routing.together.size()));
    json["outputs"] = layer.outputs ? outputs_json(*layer.outputs, *tokenizer) : Json();
    layers.push_back(std::move(json));
  }
  Json found = Json::array();
  for (const SuperExpert& expert : text->super_experts.found) {
    found.push_back({{"stack", expert.stack},
                     {"layer", expert.layer},
                     {"expert", expert.expert},
                     {"largest", rounded(expert.largest)}});
  }
  const SuperExperts& rule = text->super_experts;
  const DomainLoss& overall = text->evaluation.overall;
  return {{"reading", text->reading.empty() ? Json() : Json(text->reading)},
          {"tokens", overall.tokens},
          {"bytes", overall.bytes},
          {"bits_per_byte", rounded(overall.bits_per_byte())},
          {"domains", std::move(domains)},
          {"layers", std::move(layers)},
          {"super_experts",
           {{"experts", rule.experts},
            {"median", rounded(rule.median)},
            {"quantile", rounded(rule.quantile)},
            {"tenth", rounded(rule.tenth)},
            {"found", std::move(found)}}}};
}

}  // namespace

Json inventory_json(const Inventory& inventory) {
  const ParameterShares& shares = inventory.shares;
  const MemoryNeeds& memory = inventory.memory;
  return {{"name", inventory.name},
          {"architecture", inventory.architecture},
          {"summary", inventory.summary},
          {"kind", inventory.encoder_decoder ? "encoder-decoder" : "decoder"},
          {"hidden_size", inventory.hidden_size},
          {"vocab_size", inventory.vocab_size},
          {"context", inventory.context},
          {"attention", inventory.attention},
          {"routing", inventory.routing},
          {"tied_embeddings", inventory.tied_embeddings},
          {"parameters",
           {{"total", inventory.parameters.total},
            {"active", inventory.parameters.active},
            {"experts", shares.experts},
            {"shared", shares.shared},
            {"dense", shares.dense},
            {"attention", shares.attention},
            {"routing", shares.routing},
            {"outside", shares.outside}}},
          {"layers", layers_json(inventory.layers)},
          {"storage", storage_json(inventory.storage)},
          {"memory",
           {{"held_as", memory.held_as},
            {"weights", memory.weights},
            {"per_position", memory.per_position},
            {"whole_context", memory.whole_context},
            {"read_per_token", memory.read_per_token}}},
          {"tokenizer", tokenizer_json(inventory.tokenizer)},
          {"notes", inventory.notes}};
}

Json inspection_json(const Inspection& inspection, const Tokenizer* tokenizer) {
  Json json = inventory_json(inspection.inventory);
  json["weights"] = weights_json(inspection.weights);
  json["text"] = text_json(inspection.text, tokenizer);
  return json;
}

}  // namespace witan
