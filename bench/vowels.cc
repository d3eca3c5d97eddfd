// Two published experiments on vowels, from the formants of Peterson & Barney (1952).
// First, Jacobs, Jordan, Nowlan & Hinton 1991: epochs until four vowels are told apart with a mean squared error of
// 0.08, by competing experts and by networks trained with backpropagation.
// Second, the effect of Meta-Pi (Hampshire & Waibel 1992): networks of one kind of speaker each, blended by a gate,
// against one network for all of them. There are three kinds of speakers here, not six speakers, and no time delays.
// Run: build/release/bench/bench_vowels peterson_barney1952.csv [runs, 10]. Outcomes: docs/published-mixtures.md.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "formats/csv.h"
#include "mixtures/network.h"

namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using witan::mixtures::Activation;
using witan::mixtures::Network;

struct Vowels {
  MatrixXd inputs;   // standardised [inputs, tokens]
  MatrixXd targets;  // one-hot [vowels, tokens]
  std::vector<int> kinds;
};

// Tokens of these vowels by the speakers for whom `wanted` holds; scaled as `like` where given, else by themselves.
struct Selection {
  std::vector<std::string> vowels;
  std::vector<std::string> columns;
  std::function<bool(int)> wanted;  // by number of the speaker
};

Vowels select(const witan::CsvTable& table, const Selection& selection, const Selection& scaled_by) {
  const auto text = [&](const char* column, std::int64_t row) {
    const witan::CsvColumn& c = table.find(column);
    return c.levels[static_cast<std::size_t>(c.codes[static_cast<std::size_t>(row)])];
  };
  const auto rows_of = [&](const Selection& from) {
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < table.rows; ++row) {
      const bool known = std::find(from.vowels.begin(), from.vowels.end(), text("Vowel", row)) != from.vowels.end();
      const auto speaker = static_cast<int>(table.find("Speaker").numbers[static_cast<std::size_t>(row)]);
      if (known && from.wanted(speaker)) rows.push_back(row);
    }
    return rows;
  };
  const auto values = [&](const std::string& column, const std::vector<std::int64_t>& rows) {
    VectorXd result(static_cast<Eigen::Index>(rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i)
      result(static_cast<Eigen::Index>(i)) = std::log(table.find(column).numbers[static_cast<std::size_t>(rows[i])]);
    return result;
  };
  const std::vector<std::int64_t> rows = rows_of(selection);
  const std::vector<std::int64_t> base = rows_of(scaled_by);
  const std::set<std::string> kinds(table.find("Type").levels.begin(), table.find("Type").levels.end());
  Vowels result;
  const auto count = static_cast<Eigen::Index>(rows.size());
  result.inputs.resize(static_cast<Eigen::Index>(selection.columns.size()), count);
  for (std::size_t j = 0; j < selection.columns.size(); ++j) {
    const VectorXd scale = values(selection.columns[j], base);
    const double mean = scale.mean();
    const double deviation = std::sqrt((scale.array() - mean).square().mean());
    result.inputs.row(static_cast<Eigen::Index>(j)) =
        ((values(selection.columns[j], rows).array() - mean) / deviation).matrix().transpose();
  }
  result.targets = MatrixXd::Zero(static_cast<Eigen::Index>(selection.vowels.size()), count);
  for (Eigen::Index n = 0; n < count; ++n) {
    const std::int64_t row = rows[static_cast<std::size_t>(n)];
    const auto vowel = std::find(selection.vowels.begin(), selection.vowels.end(), text("Vowel", row));
    result.targets(vowel - selection.vowels.begin(), n) = 1.0;
    result.kinds.push_back(static_cast<int>(std::distance(kinds.begin(), kinds.find(text("Type", row)))));
  }
  return result;
}

double mean_squared_error(const MatrixXd& outputs, const MatrixXd& targets) {
  return (outputs - targets).array().square().mean();
}

double percent_right(const MatrixXd& outputs, const MatrixXd& targets) {
  double right = 0.0;
  for (Eigen::Index n = 0; n < outputs.cols(); ++n) {
    Eigen::Index said = 0;
    Eigen::Index is = 0;
    outputs.col(n).maxCoeff(&said);
    targets.col(n).maxCoeff(&is);
    right += said == is ? 100.0 : 0.0;
  }
  return right / static_cast<double>(outputs.cols());
}

// Something trained by steps along the gradient of the mean error over all tokens.
class Learner {
 public:
  Learner() = default;
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;
  virtual ~Learner() = default;
  virtual MatrixXd outputs(const MatrixXd& inputs) const = 0;
  virtual void step(const Vowels& data, double rate) = 0;
};

// Squared error through one network (which may be a blend of several).
class Backprop : public Learner {
 public:
  Backprop(std::unique_ptr<Network> network, std::uint64_t seed) : network_(std::move(network)) {
    witan::Random random(seed, 7);
    parameters_.resize(network_->size());
    network_->initialize(random, parameters_.data());
    learn_all();
  }
  MatrixXd outputs(const MatrixXd& inputs) const override {
    std::any kept;
    return network_->forward(parameters_.data(), inputs, kept);
  }
  void step(const Vowels& data, double rate) override {
    std::any kept;
    const MatrixXd out = network_->forward(parameters_.data(), data.inputs, kept);
    VectorXd gradient = VectorXd::Zero(parameters_.size());
    network_->backward(parameters_.data(), kept, data.targets - out, gradient.data());
    for (Eigen::Index i = 0; i < learning_; ++i) parameters_(i) += rate / static_cast<double>(out.cols()) * gradient(i);
  }
  VectorXd& parameters() { return parameters_; }
  // Only the first `count` parameters learn.
  void learn_only(Eigen::Index count) { learning_ = count; }
  void learn_all() { learning_ = parameters_.size(); }

 private:
  std::unique_ptr<Network> network_;
  VectorXd parameters_;
  Eigen::Index learning_ = 0;  // the first so many parameters learn
};

// E = -log sum_k p_k exp(-|d - o_k|^2 / 2): experts without hidden units and a linear gate (Jacobs et al. 1991, eq. 3).
class CompetingExperts : public Learner {
 public:
  CompetingExperts(int experts, int inputs, int outputs, std::uint64_t seed)
      : gate_(witan::mixtures::make_layer(inputs, experts, Activation::kLinear)) {
    witan::Random random(seed, 8);
    of_gate_.resize(gate_->size());
    gate_->initialize(random, of_gate_.data());
    for (int k = 0; k < experts; ++k) {
      experts_.push_back(witan::mixtures::make_layer(inputs, outputs, Activation::kSigmoid));
      of_experts_.emplace_back(experts_.back()->size());
      experts_.back()->initialize(random, of_experts_.back().data());
    }
  }
  MatrixXd outputs(const MatrixXd& inputs) const override {
    std::any kept;
    const MatrixXd shares = softmax(gate_->forward(of_gate_.data(), inputs, kept));
    MatrixXd blended = MatrixXd::Zero(experts_[0]->outputs(), inputs.cols());
    for (std::size_t k = 0; k < experts_.size(); ++k) {
      blended += experts_[k]->forward(of_experts_[k].data(), inputs, kept) *
                 shares.row(static_cast<Eigen::Index>(k)).asDiagonal();
    }
    return blended;
  }
  void step(const Vowels& data, double rate) override {
    std::any kept_of_gate;
    const MatrixXd logits = gate_->forward(of_gate_.data(), data.inputs, kept_of_gate);
    const MatrixXd shares = softmax(logits);
    std::vector<std::any> kept(experts_.size());
    std::vector<MatrixXd> distances;
    MatrixXd joint = logits;
    for (std::size_t k = 0; k < experts_.size(); ++k) {
      distances.push_back(data.targets - experts_[k]->forward(of_experts_[k].data(), data.inputs, kept[k]));
      joint.row(static_cast<Eigen::Index>(k)) -= 0.5 * distances[k].colwise().squaredNorm();
    }
    const MatrixXd posterior = softmax(joint);
    const double size = rate / static_cast<double>(data.inputs.cols());
    for (std::size_t k = 0; k < experts_.size(); ++k) {
      VectorXd gradient = VectorXd::Zero(of_experts_[k].size());
      experts_[k]->backward(of_experts_[k].data(), kept[k],
                            distances[k] * posterior.row(static_cast<Eigen::Index>(k)).asDiagonal(), gradient.data());
      of_experts_[k] += size * gradient;
    }
    VectorXd gradient = VectorXd::Zero(of_gate_.size());
    gate_->backward(of_gate_.data(), kept_of_gate, posterior - shares, gradient.data());
    of_gate_ += size * gradient;
  }

 private:
  static MatrixXd softmax(MatrixXd logits) {
    for (Eigen::Index n = 0; n < logits.cols(); ++n) {
      logits.col(n) = (logits.col(n).array() - logits.col(n).maxCoeff()).exp();
      logits.col(n) /= logits.col(n).sum();
    }
    return logits;
  }
  std::unique_ptr<Network> gate_;
  VectorXd of_gate_;
  std::vector<std::unique_ptr<Network>> experts_;
  std::vector<VectorXd> of_experts_;
};

struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
  explicit Moments(const std::vector<double>& values) {
    for (const double value : values) mean += value / static_cast<double>(values.size());
    for (const double value : values) deviation += (value - mean) * (value - mean);
    deviation = std::sqrt(deviation / std::max<double>(1.0, static_cast<double>(values.size()) - 1.0));
  }
};

void jacobs(const witan::CsvTable& table, int runs) {
  constexpr int kMostEpochs = 8000;
  const Selection train{{"iy", "ih", "aa", "ah"}, {"F1", "F2"}, [](int speaker) { return speaker <= 50; }};
  const Selection test{train.vowels, train.columns, [](int speaker) { return speaker > 50; }};
  const Vowels learned = select(table, train, train);
  const Vowels unseen = select(table, test, train);
  fmt::print(
      "Jacobs et al. 1991: {} training tokens of 50 speakers, {} of 26 others; {} runs; epochs of steepest descent\n",
      learned.inputs.cols(), unseen.inputs.cols(), runs);
  fmt::print("{:<12} {:>5} {:>9} {:>9} {:>8} {:>8} {:>8}\n", "system", "rate", "epochs", "sd", "train %", "test %",
             "arrived");
  using Make = std::function<std::unique_ptr<Learner>(std::uint64_t)>;
  const auto experts = [](int count) -> Make {
    return [count](std::uint64_t seed) { return std::make_unique<CompetingExperts>(count, 2, 4, seed); };
  };
  const auto backprop = [](int hidden) -> Make {
    return [hidden](std::uint64_t seed) {
      return std::make_unique<Backprop>(witan::mixtures::make_perceptron(2, {hidden}, 4, Activation::kSigmoid), seed);
    };
  };
  const std::vector<std::pair<std::string, Make>> systems = {
      {"4 experts", experts(4)}, {"8 experts", experts(8)}, {"backprop 6", backprop(6)}, {"backprop 12", backprop(12)}};
  for (const auto& [name, make] : systems) {
    for (const double rate : {0.2, 1.0, 5.0}) {
      std::vector<double> epochs;
      std::vector<double> train_right;
      std::vector<double> test_right;
      for (int run = 0; run < runs; ++run) {
        const std::unique_ptr<Learner> learner = make(static_cast<std::uint64_t>(run));
        int epoch = 0;
        while (epoch < kMostEpochs && mean_squared_error(learner->outputs(learned.inputs), learned.targets) > 0.08) {
          learner->step(learned, rate);
          ++epoch;
        }
        if (epoch == kMostEpochs) continue;
        epochs.push_back(epoch);
        train_right.push_back(percent_right(learner->outputs(learned.inputs), learned.targets));
        test_right.push_back(percent_right(learner->outputs(unseen.inputs), unseen.targets));
      }
      if (epochs.empty()) {
        fmt::print("{:<12} {:>5} {:>9} {:>9} {:>8} {:>8} {:>5}/{}\n", name, rate, "-", "-", "-", "-", 0, runs);
        continue;
      }
      const Moments of_epochs(epochs);
      fmt::print("{:<12} {:>5} {:>9.0f} {:>9.0f} {:>8.1f} {:>8.1f} {:>5}/{}\n", name, rate, of_epochs.mean,
                 of_epochs.deviation, Moments(train_right).mean, Moments(test_right).mean, epochs.size(), runs);
    }
  }
}

// The tokens of one kind of speaker.
Vowels of_kind(const Vowels& all, int kind) {
  std::vector<Eigen::Index> chosen;
  for (std::size_t n = 0; n < all.kinds.size(); ++n) {
    if (all.kinds[n] == kind) chosen.push_back(static_cast<Eigen::Index>(n));
  }
  return {all.inputs(Eigen::all, chosen), all.targets(Eigen::all, chosen), {}};
}

void meta_pi(const witan::CsvTable& table, int runs) {
  constexpr int kEpochs = 1500;
  constexpr double kRate = 5.0;
  constexpr int kHidden = 10;
  constexpr int kKinds = 3;
  const Selection train{{"iy", "ih", "eh", "ae", "ah", "aa", "ao", "uh", "uw", "er"},
                        {"F0", "F1", "F2", "F3"},
                        [](int speaker) { return speaker % 2 == 1; }};
  const Selection test{train.vowels, train.columns, [](int speaker) { return speaker % 2 == 0; }};
  const Vowels learned = select(table, train, train);
  const Vowels unseen = select(table, test, train);
  fmt::print(
      "\nMeta-Pi: ten vowels of men, women and children; {} tokens of every other speaker to learn, {} to test\n",
      learned.inputs.cols(), unseen.inputs.cols());
  const auto perceptron = [&](int hidden) {
    return witan::mixtures::make_perceptron(4, {hidden}, 10, Activation::kSigmoid);
  };
  std::vector<std::vector<double>> right(5);
  for (int run = 0; run < runs; ++run) {
    const auto seed = static_cast<std::uint64_t>(run);
    const auto taught = [&](std::unique_ptr<Network> network, const Vowels& data, std::uint64_t stream) {
      auto learner = std::make_unique<Backprop>(std::move(network), seed + 1000 * stream);
      for (int epoch = 0; epoch < kEpochs; ++epoch) learner->step(data, kRate);
      return learner;
    };
    const auto small = taught(perceptron(kHidden), learned, 1);
    const auto large = taught(perceptron(kHidden * kKinds), learned, 2);
    right[0].push_back(percent_right(small->outputs(unseen.inputs), unseen.targets));
    right[1].push_back(percent_right(large->outputs(unseen.inputs), unseen.targets));

    std::vector<std::unique_ptr<Backprop>> own;
    for (int kind = 0; kind < kKinds; ++kind)
      own.push_back(taught(perceptron(kHidden), of_kind(learned, kind), 3 + static_cast<std::uint64_t>(kind)));
    double sum = 0.0;
    for (int kind = 0; kind < kKinds; ++kind) {
      const Vowels theirs = of_kind(unseen, kind);
      sum += percent_right(own[static_cast<std::size_t>(kind)]->outputs(theirs.inputs), theirs.targets) *
             static_cast<double>(theirs.inputs.cols());
    }
    right[2].push_back(sum / static_cast<double>(unseen.inputs.cols()));

    // The gate learns first, then everything.
    std::vector<std::unique_ptr<Network>> networks;
    for (int kind = 0; kind < kKinds; ++kind) networks.push_back(perceptron(kHidden));
    auto gate = witan::mixtures::make_layer(4, kKinds, Activation::kLinear);
    const Eigen::Index of_gate = gate->size();
    Backprop blend(witan::mixtures::make_blend(std::move(gate), std::move(networks)), seed);
    Eigen::Index offset = of_gate;
    for (const auto& learner : own) {
      blend.parameters().segment(offset, learner->parameters().size()) = learner->parameters();
      offset += learner->parameters().size();
    }
    blend.learn_only(of_gate);
    for (int epoch = 0; epoch < kEpochs; ++epoch) blend.step(learned, kRate);
    right[3].push_back(percent_right(blend.outputs(unseen.inputs), unseen.targets));
    blend.learn_all();
    for (int epoch = 0; epoch < kEpochs; ++epoch) blend.step(learned, kRate);
    right[4].push_back(percent_right(blend.outputs(unseen.inputs), unseen.targets));
  }
  const std::vector<std::string> names = {"one network, 10 hidden units", "one network, 30 hidden units",
                                          "the kind's own network, kind known", "Meta-Pi, gate trained alone",
                                          "Meta-Pi, then all trained"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Moments of_runs(right[i]);
    fmt::print("{:<36} {:>5.1f} % right (sd {:.1f})\n", names[i], of_runs.mean, of_runs.deviation);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_vowels peterson_barney1952.csv [runs]\n");
    return 2;
  }
  const witan::CsvTable table = witan::read_csv(argv[1]);
  const int runs = argc > 2 ? std::atoi(argv[2]) : 10;
  jacobs(table, runs);
  meta_pi(table, std::max(1, runs / 2));
  return 0;
}
