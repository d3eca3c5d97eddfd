// A named tensor that training changes.
#pragma once

#include <string>

#include "autograd/tensor.h"

namespace witan {

struct Parameter {
  std::string name;   // as in the checkpoint, below the owner's prefix: "gate.weight"
  Tensor value;       // a handle: the owner sees every change
  bool decay = true;  // whether weight decay applies (matrices yes; norms, biases and router biases no)
};

}  // namespace witan
