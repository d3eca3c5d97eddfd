// What a process sets up before the program runs.
#include <csignal>

#include "witan/program.h"
#include "witan/thread_waiting.h"

int main(int argc, char** argv) {
  // A limit on file sizes is then an error of the write, with a message, and not the end of the process.
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  witan::cli::limit_spinning(argv);
  return witan::cli::run_program({argv + 1, argv + argc});
}
