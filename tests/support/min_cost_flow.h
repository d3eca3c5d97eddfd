// The exact optimum of an assignment of rows to experts, by LEMON's network simplex: what approximate routers are
// measured against.
#pragma once

#include <lemon/network_simplex.h>
#include <lemon/smart_graph.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/views.h"

namespace witan::test {

// The largest sum of benefits when each row goes to `k` different experts and expert e to capacities[e] rows at the
// most. Benefits are whole numbers.
inline double best_assignment(ConstMatrix benefits, std::int64_t k, std::span<const std::int64_t> capacities) {
  using Graph = lemon::SmartDigraph;
  Graph graph;
  const Graph::Node source = graph.addNode();
  const Graph::Node sink = graph.addNode();
  Graph::ArcMap<std::int64_t> cost(graph, 0);
  Graph::ArcMap<std::int64_t> room(graph, 1);
  std::vector<Graph::Node> experts;
  for (const std::int64_t capacity : capacities) {
    experts.push_back(graph.addNode());
    room[graph.addArc(experts.back(), sink)] = capacity;
  }
  for (std::int64_t row = 0; row < benefits.rows; ++row) {
    const Graph::Node node = graph.addNode();
    room[graph.addArc(source, node)] = k;
    for (std::int64_t e = 0; e < benefits.cols; ++e) {
      const Graph::Arc arc = graph.addArc(node, experts[static_cast<std::size_t>(e)]);
      room[arc] = 1;
      cost[arc] = -std::llround(benefits(row, e));
    }
  }
  lemon::NetworkSimplex<Graph, std::int64_t, std::int64_t> simplex(graph);
  simplex.upperMap(room).costMap(cost).stSupply(source, sink, k * benefits.rows);
  if (simplex.run() != simplex.OPTIMAL) throw std::runtime_error("no feasible flow");
  return -static_cast<double>(simplex.totalCost());
}

}  // namespace witan::test
