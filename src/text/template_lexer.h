// The pieces of a chat template: text between tags, and the tokens within them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace witan {

struct TemplateToken {
  enum class Kind {
    kText,
    kPrintBegin,
    kPrintEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Kind kind = Kind::kEnd;
  int line = 1;
  std::string text;  // of a string: its content
};

// The last token is kEnd. Throws Error "where: line 3: ..." for a tag or a string that is not closed and for characters
// that begin nothing.
std::vector<TemplateToken> lex_template(std::string_view source, const std::string& where);

}  // namespace witan
