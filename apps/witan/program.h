// The program as a function: a name, a version and a table of commands.
#pragma once

#include <string>
#include <vector>

namespace witan::cli {

// Runs `witan` with these arguments (without the program's name) and returns its exit code: see command_line.h.
int run_program(const std::vector<std::string>& arguments);

}  // namespace witan::cli
