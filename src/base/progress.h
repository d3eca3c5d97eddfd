// Progress of long work on a stream somebody hands in: one line that is redrawn on a terminal, plain lines now and then
// elsewhere. The library never opens a stream itself; without one nothing is shown.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace witan {

struct ProgressOptions {
  std::ostream* out = nullptr;  // nullptr: silent
  bool terminal = false;        // redraw one line; see is_terminal
  int columns = 80;             // of the terminal: longer lines are cut
  double redraw_seconds = 0.1;  // on a terminal
  double line_seconds = 10.0;   // elsewhere
  std::function<double()> now;  // seconds, monotonous; empty: the steady clock
};

// Whether a file descriptor (1: stdout, 2: stderr) is a terminal that understands redrawing, and how wide it is.
bool is_terminal(int descriptor);
int terminal_columns(int descriptor);

// In which unit to show progress through `bytes` bytes: "kB" or "MB", and its size.
struct ByteUnit {
  const char* name;
  double bytes;
};
ByteUnit byte_unit(std::int64_t bytes);

// "tokenize: 12.3 of 40.0 MB, 31 %, 4.1 MB/s, 7 s left, <note>".
class Progress {
 public:
  // `total` in units; 0: unknown. `scale` units make one shown unit ("MB" with 1e6).
  Progress(std::string label, std::int64_t total, ProgressOptions options, std::string unit = "", double scale = 1.0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // ends the line on a terminal

  // Work done so far, and anything worth saying beside it. Draws when it is time to; cheap otherwise. One thread only.
  void update(std::int64_t done, std::string_view note = {});
  // A line of its own that stays, above the progress line.
  void message(std::string_view text);
  // Draws the last state, whatever the time, and ends the line.
  void finish(std::string_view note = {});

 private:
  std::string line(double seconds) const;
  void draw(double seconds);

  std::string label_;
  std::int64_t total_;
  ProgressOptions options_;
  std::string unit_;
  double scale_;
  std::int64_t done_ = 0;
  std::string note_;
  double started_;
  double drawn_;
  bool line_open_ = false;
  bool finished_ = false;
};

// "7 s", "3 min 05 s", "2 h 10 min".
std::string duration_text(double seconds);

}  // namespace witan
