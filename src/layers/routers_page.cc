// The page, table by table.
#include "layers/routers_page.h"

#include "balance/table.h"
#include "dispatch/drop_policies.h"
#include "gates/table.h"
#include "layers/moe_layer.h"
#include "routers/table.h"
#include "routers/weighting.h"

namespace witan {
namespace {

// "| a | b |" and the like.
std::string line(std::initializer_list<std::string> cells) {
  std::string text = "|";
  for (const std::string& cell : cells) text += " " + cell + " |";
  return text + "\n";
}

std::string header(std::initializer_list<std::string> cells) {
  std::string rule = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) rule += "---|";
  return line(cells) + rule + "\n";
}

std::string code(const std::string& text) { return "`" + text + "`"; }

std::string routers() {
  std::string text = header({"router", "rule", "formula", "paper", "causal", "in evaluation", "cost"});
  for (const RouterEntry& entry : router_table()) {
    text += line({code(entry.name), entry.summary, entry.formula, entry.paper, entry.causality, entry.inference_rule,
                  entry.cost});
  }
  return text;
}

std::string weightings() {
  std::string text = header({"weighting", "formula", "renormalised over the selection"});
  for (const std::string& name : weighting_names()) {
    const Weighting weighting = parse_weighting(name);
    text += line({code(name), std::string(weighting_formula(weighting)), is_renormalized(weighting) ? "yes" : "no"});
  }
  return text;
}

// The routers that read `weighting`.
std::string weighting_readers() {
  std::string text;
  for (const RouterEntry& entry : router_table()) {
    if (entry.uses_weighting) text += (text.empty() ? "" : ", ") + code(entry.name);
  }
  return text;
}

std::string drop_policies() {
  std::string text = header({"drop policy", "who is served first", "looks at later rows"});
  for (const DropPolicy& policy : drop_policy_table()) {
    const char* const later = policy.causal_safe(2) ? "no" : policy.causal_safe(1) ? "with k > 1" : "yes";
    text += line({code(policy.name), policy.summary, later});
  }
  return text;
}

std::string gates() {
  std::string text = header({"gate", "rule", "formula", "paper", "operations per row"});
  for (const GateEntry& entry : gate_table()) {
    text += line({code(entry.name), entry.summary, entry.formula, entry.paper, entry.cost});
  }
  return text;
}

std::string balance_rules() {
  std::string text = header({"term", "what", "formula", "paper", "at perfect balance"});
  for (const BalanceEntry& entry : balance_table()) {
    text += line({code(entry.name), entry.summary, entry.formula, entry.paper, entry.balanced_value});
  }
  return text;
}

std::string options() {
  MoeOptions defaults;
  const Fields fields = defaults.fields();
  std::string text = header({"option", "default", "meaning"});
  for (const Field& field : fields.all()) {
    std::string meaning = field.help;
    for (std::size_t i = 0; i < field.choices.size(); ++i) {
      meaning += (i == 0 ? ": " : ", ") + code(field.choices[i]);
    }
    text += line({code(field.flag()), code(field.default_text), meaning});
  }
  return text;
}

}  // namespace

std::string routers_page() {
  return "# Routers, gates and balance rules\n\n"
         "Generated from the tables in `src/`; `build/release/docs/write_routers_page` prints it and a test checks "
         "that "
         "it is current. How to add\none: [adding-a-router.md](adding-a-router.md).\n\n"
         "`T` rows, `E` experts, `k` experts per row, `D` width of a row, `h` the gate's scores of a row, "
         "`p = softmax(h)`, `C` rows that an\nexpert may serve. Ties go to the lowest index. All of it is computed in "
         "f32.\n\n"
         "## Routers\n\n"
         "*causal*: whether a row's result depends on later rows. A causal decoder refuses a router for which it does."
         "\n\n" +
         routers() +
         "\n## Weights of the selected experts\n\n"
         "Read by " +
         weighting_readers() +
         ". With k = 1 a renormalised weight is constant and the router would get no gradient: that "
         "combination is refused.\n\n" +
         weightings() +
         "\n## Who is served when an expert is full\n\n"
         "C = max(min_capacity, capacity_factor T k / E), rounded as `capacity_rounding` says; in evaluation "
         "eval_capacity_fraction T, if that is set.\nA row that is dropped by all its experts gets 0 from the layer; "
         "the residual connection carries it. With `overflow = next_best` a choice\nthat finds its expert full goes, "
         "at "
         "its turn, to the row's next best expert with room, and is counted there.\n\n" +
         drop_policies() + "\n## Gates\n\n" + gates() +
         "\n## Balance terms\n\n"
         "Added to the training loss, each times its coefficient; the log shows them without it. Padding counts "
         "nowhere.\n\n" +
         balance_rules() + "\n## Options\n\n" + options();
}

}  // namespace witan
