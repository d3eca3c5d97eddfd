// The tape: what was computed, in order, so that gradients can flow back. With the tape off nothing is kept.
// Not thread-safe: one tape, one thread (ops are parallel inside).
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

#include "autograd/tensor.h"
#include "base/pool.h"

namespace witan {

class Tape {
 public:
  enum class Mode { kOff, kRecording };
  explicit Tape(Mode mode = Mode::kOff) : mode_(mode) {}

  bool recording() const { return mode_ == Mode::kRecording; }

  // An uninitialized result of an op. It requires a gradient when the tape records and any defined input does.
  Tensor output(Shape shape, std::initializer_list<const Tensor*> inputs) const;
  Tensor output(Shape shape, std::span<const Tensor> inputs) const;

  // Keeps `backward` for the result `output`, if that requires a gradient. It is called at most once, with the gradient
  // of `output` present, and destroyed right after, together with that gradient: capture values only where they are
  // needed and Gradient elsewhere, and memory falls as the backward pass goes.
  template <class Backward>
  void record(const Tensor& output, Backward backward) {
    if (!recording() || !output.requires_grad()) return;
    nodes_.push_back(std::make_unique<Call<Backward>>(output.grad(), std::move(backward)));
  }

  // Sends d loss / d loss = 1 back through everything recorded, newest first, and empties the tape.
  // `loss` has one element.
  void backward(const Tensor& loss);
  // The same from a given gradient, of the shape of `output`.
  void backward(const Tensor& output, const Tensor& gradient);

  // Keeps an object that recorded calls refer to until the tape is empty.
  void keep(std::shared_ptr<const void> object) {
    if (recording()) kept_.push_back(std::move(object));
  }

  std::size_t size() const { return nodes_.size(); }
  void clear() {
    nodes_.clear();
    kept_.clear();
  }

 private:
  struct Node : Pooled {
    explicit Node(Gradient gradient) : output(std::move(gradient)) {}
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    virtual ~Node() = default;
    virtual void run() = 0;
    Gradient output;
  };
  template <class Backward>
  struct Call final : Node {
    Call(Gradient gradient, Backward backward_) : Node(std::move(gradient)), backward(std::move(backward_)) {}
    void run() override { backward(); }
    Backward backward;
  };

  Mode mode_;
  PooledVector<std::shared_ptr<const void>> kept_;  // outlives the nodes
  PooledVector<std::unique_ptr<Node>> nodes_;
};

}  // namespace witan
