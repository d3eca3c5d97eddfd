// Errors to exit codes.
#include "witan/command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/suggest.h"
#include "witan/options.h"

namespace witan::cli {
namespace {

constexpr int kUserError = 1;
constexpr int kWrongCommandLine = 2;
constexpr int kBug = 70;  // EX_SOFTWARE of sysexits.h

int report(int code, const std::string& message) {
  // Not fmt::print, which throws where standard error cannot be written either.
  static_cast<void>(std::fputs(fmt::format("witan: error: {}\n", message).c_str(), stderr));
  return code;
}

const CLI::App& command_in_use(const CLI::App& app) {
  const std::vector<CLI::App*> used = app.get_subcommands();
  return used.empty() ? app : *used.front();
}

std::string unknown_command_message(const CLI::App& app, const std::string& name) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  return fmt::format("unknown command '{}'{}", name, suggestion(name, known));
}

std::string command_line_message(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = command_in_use(app);
  const std::vector<std::string> unknown = app.remaining(true);
  std::string message = error.what();
  if (!unknown.empty()) {
    const bool is_command = &command == &app && !unknown.front().starts_with("-");
    message = is_command ? unknown_command_message(app, unknown.front()) : unknown_arguments_message(command, unknown);
  }
  const std::string path = &command == &app ? "witan" : "witan " + command.get_name();
  return fmt::format("{}; see `{} --help`", message, path);
}

}  // namespace

void flush_standard_output() {
  if (std::fflush(stdout) != 0) fail("standard output: cannot write: {}", std::strerror(errno));
  if (std::ferror(stdout) != 0 || !std::cout) fail("standard output: not everything could be written");
}

int run(CLI::App& app, const std::vector<std::string>& arguments) {
  try {
    std::vector<std::string> reversed = normalized_arguments(arguments);
    std::reverse(reversed.begin(), reversed.end());  // CLI11 takes them from the back
    try {
      app.parse(reversed);
    } catch (const CLI::Success& success) {  // --help and --version
      app.exit(success);
    }
    flush_standard_output();
    return 0;
  } catch (const CLI::RuntimeError& ended) {
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return report(kWrongCommandLine, command_line_message(app, error));
  } catch (const Interrupted& interrupt) {
    return interrupt.exit_code();
  } catch (const Error& error) {
    return report(kUserError, error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return report(kUserError, fmt::format("{}: {}", error.path1().string(), error.code().message()));
  } catch (const std::system_error& error) {  // of fmt::print
    return report(kUserError, fmt::format("standard output: cannot write: {}", error.code().message()));
  } catch (const std::bad_alloc&) {
    return report(kUserError, "out of memory: a smaller model, batch or sequence may fit");
  } catch (const std::exception& error) {
    return report(kBug, fmt::format("this is a bug in Witan, please report it: {}", error.what()));
  }
}

}  // namespace witan::cli
