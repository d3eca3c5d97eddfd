// fork, a pipe for the result, and poll for the wish to stop.
#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"

namespace witan {
namespace {

// The first byte of what the child writes; the rest is the result or the message.
constexpr char kResult = '=';
constexpr char kMistake = '!';
constexpr char kFailure = '?';

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // nobody reads any more
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Ends without the destructors of this process: what they would clean up is the parent's.
[[noreturn]] void be_the_child(pid_t parent, int out, const std::function<std::string()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it ended before
  std::string answer;
  try {
    answer = kResult + work();
  } catch (const Error& error) {
    answer = kMistake + std::string(error.what());
  } catch (const std::exception& error) {
    answer = kFailure + std::string(error.what());
  }
  write_all(out, answer);
  ::_exit(0);
}

// The parent's end: the child is gone when this is.
class Child {
 public:
  Child(pid_t process, int in) : process_(process), in_(in) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(in_);
    if (!ended_) ::kill(process_, SIGKILL);  // after wait() the number may be another's
    wait();
  }

  std::string read_to_end() {
    constexpr int kMilliseconds = 50;  // between two looks at the wish to stop
    std::string answer;
    std::array<char, 1 << 16> buffer{};
    for (;;) {
      throw_if_interrupted();
      pollfd ready{in_, POLLIN, 0};
      if (::poll(&ready, 1, kMilliseconds) <= 0) continue;
      const ssize_t count = ::read(in_, buffer.data(), buffer.size());
      if (count > 0) answer.append(buffer.data(), static_cast<std::size_t>(count));
      if (count == 0 || (count < 0 && errno != EINTR)) return answer;
    }
  }

  // As waitpid has it.
  int wait() {
    while (!ended_ && ::waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
    }
    ended_ = true;
    return status_;
  }

 private:
  pid_t process_;
  int in_;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace

std::string in_child_process(const std::string& label, const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return work();
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) {
    ::close(ends[0]);
    be_the_child(parent, ends[1], work);
  }
  ::close(ends[1]);
  if (process < 0) {
    ::close(ends[0]);
    return work();
  }
  Child child(process, ends[0]);
  std::string answer = child.read_to_end();
  const int status = child.wait();
  if (WIFSIGNALED(status)) {
    fail("{}: ended by the system with signal {} ({}){}", label, WTERMSIG(status), ::strsignal(WTERMSIG(status)),
         WTERMSIG(status) == SIGKILL ? ": most likely, memory ran out" : "");
  }
  if (answer.empty()) fail("{}: ended without a result", label);
  const char kind = answer.front();
  answer.erase(0, 1);
  if (kind == kMistake) throw Error(answer);
  if (kind == kFailure) fail("{}: {}", label, answer);
  return answer;
}

}  // namespace witan
