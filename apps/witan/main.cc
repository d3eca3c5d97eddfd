// What a process sets up before the program runs.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "witan/program.h"
#include "witan/thread_waiting.h"

namespace {

// The next file that is opened would take the number of a standard stream that the caller closed, and get what is
// printed. Such a standard output stays one that cannot be written to, so that nothing is lost without a word.
void occupy_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1) continue;
    static_cast<void>(::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY));
  }
}

}  // namespace

int main(int argc, char** argv) {
  // A limit on file sizes is then an error of the write, with a message, and not the end of the process.
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  occupy_closed_streams();
  witan::cli::limit_spinning(argv);
  return witan::cli::run_program({argv + 1, argv + argc});
}
