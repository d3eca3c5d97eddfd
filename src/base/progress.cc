// Drawing and rates.
#include "base/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <utility>

namespace witan {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// As many bytes as show in `columns` columns: continuation bytes of UTF-8 take none. Wide characters may take two,
// so labels and notes should be plain.
std::string_view cut(std::string_view text, int columns) {
  int used = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
    if (used == columns) return text.substr(0, i);
    ++used;
  }
  return text;
}

std::string amount(double value) {
  const double size = std::fabs(value);
  if (size >= 100.0 || value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, size >= 10.0 ? 1 : 2);
}

constexpr const char* kEraseLine = "\r\x1b[2K";

}  // namespace

bool is_terminal(int descriptor) {
  const char* kind = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

int terminal_columns(int descriptor) {
  winsize size{};
  constexpr int kUsual = 80;
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

ByteUnit byte_unit(std::int64_t bytes) {
  constexpr std::int64_t kFewBytes = 1'000'000;
  return bytes < kFewBytes ? ByteUnit{"kB", 1e3} : ByteUnit{"MB", 1e6};
}

Progress::Progress(std::string label, std::int64_t total, ProgressOptions options, std::string unit, double scale)
    : label_(std::move(label)), total_(total), options_(std::move(options)), unit_(std::move(unit)), scale_(scale) {
  if (!options_.now) options_.now = steady_seconds;
  started_ = options_.now();
  // On a terminal the first update draws at once; elsewhere short work leaves one line, at its end.
  drawn_ = options_.terminal ? -std::numeric_limits<double>::infinity() : started_;
}

Progress::~Progress() {
  if (line_open_) *options_.out << '\n' << std::flush;
}

std::string Progress::line(double seconds) const {
  const double done = static_cast<double>(done_) / scale_;
  const double total = static_cast<double>(total_) / scale_;
  const std::string unit = unit_.empty() ? "" : " " + unit_;
  std::string text = label_ + ": " + amount(done);
  if (total_ > 0) {
    // Of whole numbers: scaled ones may round to 99 % when all is done.
    const double percent = 100.0 * static_cast<double>(done_) / static_cast<double>(total_);
    text += fmt::format(" of {}{}, {:.0f} %", amount(total), unit, std::floor(percent));
  } else {
    text += unit;
  }
  const double elapsed = seconds - started_;
  if (elapsed > 0.0 && done > 0.0) {
    const double rate = done / elapsed;
    text += fmt::format(", {}{}/s", amount(rate), unit);
    if (total_ > done_ && !finished_) text += fmt::format(", {} left", duration_text((total - done) / rate));
    if (finished_) text += fmt::format(", {}", duration_text(elapsed));
  }
  if (!note_.empty()) text += ", " + note_;
  // A note may be the name of a file, which may hold anything.
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return text;
}

void Progress::draw(double seconds) {
  drawn_ = seconds;
  const std::string text = line(seconds);
  if (options_.terminal) {
    *options_.out << kEraseLine << cut(text, std::max(1, options_.columns - 1)) << std::flush;
    line_open_ = true;
  } else {
    *options_.out << text << '\n' << std::flush;
  }
}

void Progress::update(std::int64_t done, std::string_view note) {
  done_ = done;
  if (options_.out == nullptr || finished_) return;
  note_ = note;
  const double seconds = options_.now();
  if (seconds - drawn_ >= (options_.terminal ? options_.redraw_seconds : options_.line_seconds)) draw(seconds);
}

void Progress::message(std::string_view text) {
  if (options_.out == nullptr) return;
  if (line_open_) *options_.out << kEraseLine;
  *options_.out << text << '\n';
  if (line_open_) draw(options_.now());
  *options_.out << std::flush;
}

void Progress::finish(std::string_view note) {
  if (options_.out == nullptr || finished_) return;
  finished_ = true;
  note_ = note;
  draw(options_.now());
  if (line_open_) *options_.out << '\n' << std::flush;
  line_open_ = false;
}

}  // namespace witan
