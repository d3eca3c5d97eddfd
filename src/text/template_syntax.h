// A chat template as parsed: Jinja's statements and expressions, each with its line for messages.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template_value.h"

namespace witan {

struct TemplateExpression;
using TemplateExpressionPtr = std::unique_ptr<TemplateExpression>;

struct TemplateExpression {
  enum class Kind {
    kLiteral,    // value
    kName,       // text
    kList,       // children
    kTuple,      // children
    kDict,       // children: key, value, key, value ...
    kAttribute,  // children[0].text
    kItem,       // children[0][children[1]]
    kSlice,      // children[0][children[1]:children[2]:children[3]]; a missing one is null
    kCall,       // children[0](children[1..], named)
    kFilter,     // children[0] | text(children[1..], named)
    kTest,       // children[0] is text(children[1..]); negated
    kNot,        // not children[0]
    kNegative,   // -children[0]
    kBinary,     // children[0] text children[1], text an operator; `and` and `or` decide early
    kCompare,    // children[0] named[0].first named[0].second ...: each holds between its neighbours, as a < b < c
    kBody,       // what the body of the statement `filter` printed
    kChoice,     // children[0] if children[1] else children[2], which may be null
  };
  Kind kind = Kind::kLiteral;
  int line = 0;
  int height = 1;  // levels below, this one included
  std::string text;
  TemplateValue value;
  bool negated = false;
  std::vector<TemplateExpressionPtr> children;
  std::vector<std::pair<std::string, TemplateExpressionPtr>> named;
};

struct TemplateStatement {
  enum class Kind {
    kText,   // text
    kPrint,  // first
    kIf,     // if first: body, else: otherwise
    kFor,    // for names in first if second: body, else: otherwise
    kSet,    // names = first, or the printed body; names[0] may be "a.b"
    kMacro,  // text(names[i] = defaults[i]): body
    kBreak,
    kContinue,
    kBlock,   // body
    kWith,    // body, where names[i] are defaults[i]
    kFilter,  // first, of what body prints
  };
  Kind kind = Kind::kText;
  int line = 0;
  std::string text;
  TemplateExpressionPtr first;
  TemplateExpressionPtr second;
  std::vector<std::string> names;
  std::vector<TemplateExpressionPtr> defaults;  // null: none
  std::vector<TemplateStatement> body;
  std::vector<TemplateStatement> otherwise;
};

// With Hugging Face's settings: a block takes the newline behind it and the blanks before it on its line. Throws Error
// "where: line 3: ...".
std::vector<TemplateStatement> parse_template(std::string_view source, const std::string& where);

}  // namespace witan
