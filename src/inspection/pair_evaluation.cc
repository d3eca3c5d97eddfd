// Encode, decode, and what the right answer costs.
#include "inspection/pair_evaluation.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "kernels/softmax.h"
#include "models/encoder_decoder.h"
#include "witan/router.h"

namespace witan {
namespace {

constexpr std::int64_t kLogitRows = 32;  // at a time: a vocabulary of 256 k makes 32 MB of them

void add_losses(const EncoderDecoder& model, const Tensor& decoded, const TextPair& pair,
                std::span<const std::int32_t> token_bytes, const std::function<void()>& on_part, DomainLoss& sum) {
  for (std::int64_t first = 0; first < decoded.rows(); first += kLogitRows) {
    on_part();
    const std::int64_t count = std::min(kLogitRows, decoded.rows() - first);
    const auto some = decoded.values().subspan(static_cast<std::size_t>(first * decoded.cols()),
                                               static_cast<std::size_t>(count * decoded.cols()));
    const Tensor logits = model.logits(Tensor::from({count, decoded.cols()}, some));
    std::vector<float> all(static_cast<std::size_t>(count));
    kernels::log_sum_exp(logits.matrix(), all.data());
    for (std::int64_t row = 0; row < count; ++row) {
      const std::int32_t target = pair.targets[static_cast<std::size_t>(first + row)];
      if (target == kNoTarget) continue;
      sum.tokens += 1;
      sum.bytes += token_bytes[static_cast<std::size_t>(target)];
      sum.nats += static_cast<double>(all[static_cast<std::size_t>(row)] - logits.matrix()(row, target));
    }
  }
}

}  // namespace

Evaluation evaluate_pairs(const EncoderDecoder& model, std::span<const TextPair> pairs,
                          std::span<const std::int32_t> token_bytes, std::int64_t num_domains,
                          const PairObservers& observers, const std::function<void(std::int64_t done)>& on_part) {
  std::map<std::string, std::int64_t> layers;  // by the name of their router
  for (const EncoderDecoder::Mixture& mixture : model.mixtures()) {
    layers[mixture.block.router_name()] = mixture.layer;
  }
  std::vector<DomainLoss> domains(static_cast<std::size_t>(num_domains));
  std::int64_t done = 0;
  const auto report = [&] {
    if (on_part) on_part(done);
  };
  for (const TextPair& pair : pairs) {
    const auto watching = [&](const WindowObserver& observer, std::span<const std::int32_t> ids) {
      return EncoderDecoderObserver{
          .mixtures =
              [&, ids](const std::string& router, const Routing& routing, const Tensor& rows) {
                const std::vector<std::uint16_t> of_rows(ids.size(), pair.domain);
                if (observer) observer({ids, of_rows}, layers.at(router), routing, rows);
              },
          .tensors = [&](const std::string& /*name*/, const Tensor& /*value*/) { report(); }};
    };
    Translation translation = model.start(model.encode(pair.source, watching(observers.encoder, pair.source)));
    const Tensor decoded = model.decode(pair.inputs, translation, watching(observers.decoder, pair.inputs));
    add_losses(model, decoded, pair, token_bytes, report, domains[pair.domain]);
    ++done;
    report();
  }
  return with_overall(std::move(domains));
}

}  // namespace witan
