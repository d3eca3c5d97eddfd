// From arguments to an exit code: 0 done, 1 a user's mistake, 2 a wrong command line, 70 a bug, 130 interrupted by
// Ctrl-C, 143 by SIGTERM.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace witan::cli {

// Parses `arguments` (without the program's name), which runs the callback of the chosen command. Every failure becomes
// one line on stderr, "witan: error: ...", and its code.
int run(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace witan::cli
