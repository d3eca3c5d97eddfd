// Regular expressions as tokenizer.json writes them, which is the syntax of Oniguruma, translated to PCRE2's.
#pragma once

#include <string>
#include <string_view>

namespace witan {

// The PCRE2 pattern (UTF, multi-line) that matches what Oniguruma's default syntax makes of `pattern`: \s \w \d \h and
// their complements by Unicode's properties, classes that nest and intersect, `{n,m}+` as a repetition rather than
// possessive, (?m) for a dot that matches newlines. Throws Error "where: ..." for what has no counterpart: absent
// groups, conditionals, options other than i, m, x; and for brackets that do not match.
std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& where);

}  // namespace witan
