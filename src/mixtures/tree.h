// The shape of a hierarchical gate: a tree whose leaves are the experts. One node with all experts as children is the
// ordinary, flat gate.
#pragma once

#include <string_view>
#include <vector>

namespace witan::mixtures {

struct TreeNode {
  // Child c leads to the leaves bounds[c] .. bounds[c + 1] - 1.
  std::vector<int> bounds;
  int children() const { return static_cast<int>(bounds.size()) - 1; }
  // Which child leads to the leaf; -1: the leaf is not below this node.
  int child_of(int leaf) const;
};

// From the root down; within a level from left to right.
struct Tree {
  int leaves = 0;
  std::vector<TreeNode> nodes;

  static Tree flat(int experts);
  // "2x3": two children of the root, three of each of them. Throws Error for anything but whole numbers from 2 to 1024
  // with "x" between, or more than 4096 leaves.
  static Tree parse(std::string_view text);
};

}  // namespace witan::mixtures
