// Trees of gates.
#include "mixtures/tree.h"

#include <charconv>
#include <cstdint>

#include "base/error.h"

namespace witan::mixtures {
namespace {

constexpr int kMaxBranches = 1024;
constexpr std::int64_t kMaxLeaves = 4096;

TreeNode node(int first, int leaves, int children) {
  TreeNode result;
  for (int c = 0; c <= children; ++c) result.bounds.push_back(first + c * (leaves / children));
  return result;
}

}  // namespace

int TreeNode::child_of(int leaf) const {
  for (int c = 0; c < children(); ++c) {
    if (leaf >= bounds[static_cast<std::size_t>(c)] && leaf < bounds[static_cast<std::size_t>(c) + 1]) return c;
  }
  return -1;
}

Tree Tree::flat(int experts) { return {experts, {node(0, experts, experts)}}; }

Tree Tree::parse(std::string_view text) {
  std::vector<int> branches;
  std::int64_t leaves = 1;
  std::string_view rest = text;
  while (true) {
    int branching = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), branching);
    const auto read = static_cast<std::size_t>(end - rest.data());
    const bool more = read < rest.size() && rest[read] == 'x';
    if (error != std::errc() || (!more && read != rest.size()) || branching < 2 || branching > kMaxBranches) {
      fail("tree: '{}' is no tree; expected numbers from 2 to {} with x between, from the root down, such as 2x3", text,
           kMaxBranches);
    }
    leaves *= branching;
    if (leaves > kMaxLeaves) fail("tree: '{}' has more than {} leaves", text, kMaxLeaves);
    branches.push_back(branching);
    if (!more) break;
    rest.remove_prefix(read + 1);
  }
  Tree tree;
  tree.leaves = static_cast<int>(leaves);
  int below = tree.leaves;
  for (const int branching : branches) {
    for (int first = 0; first < tree.leaves; first += below) tree.nodes.push_back(node(first, below, branching));
    below /= branching;
  }
  return tree;
}

}  // namespace witan::mixtures
