// Few symbols: the lowest rank is searched anew after each merge. Many: a heap of candidates over a linked list.
#include "text/bpe_merger.h"

#include <algorithm>

namespace witan {
namespace {

// Lowest rank first, of equal ranks the leftmost.
bool later(const BpeMerger::Scratch::Candidate& a, const BpeMerger::Scratch::Candidate& b) {
  return a.rank > b.rank || (a.rank == b.rank && a.left > b.left);
}

}  // namespace

void BpeMerger::merge(std::vector<std::int32_t>& ids, std::size_t begin, Scratch& scratch) const {
  constexpr std::size_t kFew = 48;  // the square of this many comparisons costs what the heap does
  if (ids.size() - begin <= kFew) {
    merge_few(ids, begin, scratch);
  } else {
    merge_many(ids, begin, scratch);
  }
}

void BpeMerger::merge_few(std::vector<std::int32_t>& ids, std::size_t begin, Scratch& scratch) const {
  std::size_t count = ids.size() - begin;
  if (count < 2) return;
  std::int32_t* symbols = ids.data() + begin;
  std::vector<std::uint64_t>& pairs = scratch.pairs;  // of each symbol with the next: rank above, merged id below
  pairs.resize(count - 1);
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = merges_.find(pair(symbols[i], symbols[i + 1]));
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (pairs[i] >> 32 < pairs[best] >> 32) best = i;
    }
    if (pairs[best] == FlatMap::kNone) break;
    symbols[best] = static_cast<std::int32_t>(pairs[best] & 0xFFFFFFFFU);
    std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
    if (best + 2 < count)
      std::copy(pairs.begin() + static_cast<std::ptrdiff_t>(best) + 2,
                pairs.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                pairs.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    --count;
    if (best > 0) pairs[best - 1] = merges_.find(pair(symbols[best - 1], symbols[best]));
    if (best + 1 < count) pairs[best] = merges_.find(pair(symbols[best], symbols[best + 1]));
  }
  ids.resize(begin + count);
}

void BpeMerger::offer(Scratch& scratch, std::int32_t left) const {
  if (left < 0) return;
  const Scratch::Symbol& first = scratch.symbols[static_cast<std::size_t>(left)];
  if (first.next < 0) return;
  const Scratch::Symbol& second = scratch.symbols[static_cast<std::size_t>(first.next)];
  const std::uint64_t found = merges_.find(pair(first.id, second.id));
  if (found == FlatMap::kNone) return;
  scratch.heap.push_back({static_cast<std::uint32_t>(found >> 32), left, first.id, second.id,
                          static_cast<std::int32_t>(found & 0xFFFFFFFFU)});
  std::push_heap(scratch.heap.begin(), scratch.heap.end(), later);
}

void BpeMerger::merge_many(std::vector<std::int32_t>& ids, std::size_t begin, Scratch& scratch) const {
  constexpr std::int32_t kMerged = -2;
  std::vector<Scratch::Symbol>& symbols = scratch.symbols;
  symbols.clear();
  scratch.heap.clear();
  for (std::size_t i = begin; i < ids.size(); ++i) {
    const auto index = static_cast<std::int32_t>(i - begin);
    symbols.push_back({ids[i], index - 1, index + 1});
  }
  symbols.back().next = -1;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(symbols.size()); ++i) offer(scratch, i);
  while (!scratch.heap.empty()) {
    std::pop_heap(scratch.heap.begin(), scratch.heap.end(), later);
    const Scratch::Candidate best = scratch.heap.back();
    scratch.heap.pop_back();
    Scratch::Symbol& left = symbols[static_cast<std::size_t>(best.left)];
    // Merged away or changed since it was offered.
    if (left.next < 0 || left.id != best.left_id) continue;
    Scratch::Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.id != best.right_id) continue;
    left.id = best.merged;
    left.next = right.next;
    right.next = kMerged;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.left;
    offer(scratch, left.previous);
    offer(scratch, best.left);
  }
  ids.resize(begin);
  for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next) {
    ids.push_back(symbols[static_cast<std::size_t>(i)].id);
  }
}

}  // namespace witan
