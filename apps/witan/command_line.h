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

// Throws Error when standard output did not take all that was printed (a full disk, a closed descriptor): buffers would
// lose it without a word. run() asks at its end; a command with exit codes of its own asks itself.
void flush_standard_output();

}  // namespace witan::cli
