// The families of experts, by name. A new family is one file and one line here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mixtures/experts.h"

namespace witan::mixtures {

struct FitOptions;

constexpr int kMaxExperts = 4096;

enum class TargetKind { kNumber, kPositive, kCount, kClass };

struct ExpertShape {
  int experts = 0;
  int inputs = 0;
  int outputs = 0;
  int classes = 0;  // of a class target
};

struct FamilyInfo {
  std::string name;
  TargetKind target;
  bool several_outputs;
  std::unique_ptr<Experts> (*make)(const ExpertShape& shape, const FitOptions& options);
};

// Throws Error for an unknown name, with the nearest known ones.
const FamilyInfo& find_family(std::string_view name);
const std::vector<std::string>& family_names();

}  // namespace witan::mixtures
