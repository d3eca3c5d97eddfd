// chat_template_check CASES.json: renders {"template", "variables", "cases": [{"messages", "tools",
// "add_generation_prompt", "more", "expected"}]} and compares with what another implementation made of it; "expected":
// null stands for an error. Exit code 1 when a case differs, and the first is shown.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/chat_template.h"

namespace {

using Json = nlohmann::ordered_json;

Json rendered(const witan::ChatTemplate& chat, const Json& one, std::string& error) {
  try {
    return chat.render(one.at("messages"), one.value("tools", Json()), one.value("add_generation_prompt", false),
                       one.value("more", Json::object()));
  } catch (const witan::Error& problem) {
    error = problem.what();
    return nullptr;
  }
}

int check(const char* file) {
  const Json cases = Json::parse(witan::read_text_file(file));
  const witan::ChatTemplate chat(cases.at("template").get<std::string>(), file, cases.at("variables"));
  int passed = 0;
  std::string difference;
  for (const Json& one : cases.at("cases")) {
    std::string error;
    const Json ours = rendered(chat, one, error);
    if (ours == one.at("expected")) {
      ++passed;
    } else if (difference.empty()) {
      difference = fmt::format("  case:     {}\n  expected: {}\n  ours:     {} {}\n", one.at("messages").dump(),
                               one.at("expected").dump(), ours.dump(), error);
    }
  }
  fmt::print("{} of {} cases agree\n{}", passed, cases.at("cases").size(), difference);
  return difference.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: chat_template_check CASES.json\n");
    return 2;
  }
  try {
    return check(argv[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "chat_template_check: {}\n", error.what());
    return 2;
  }
}
