// Runs a kernel test under every instruction set of this processor. Not for oneDNN, which keeps its choice.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "kernels/isa.h"

namespace witan::test {

template <class Body>
void for_each_isa(Body&& body) {
  const kernels::Isa before = kernels::active_isa();
  for (const kernels::Isa isa : kernels::supported_isas()) {
    SCOPED_TRACE(std::string(kernels::isa_name(isa)));
    kernels::set_isa(isa);
    body();
  }
  kernels::set_isa(before);
}

}  // namespace witan::test
