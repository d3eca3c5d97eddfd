// Reading plain and gzip files, and taking them apart.
#include "training/text_files.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/utf8.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kProse[] = {".txt", ".text", ".md", ".markdown", ".rst", ".adoc", ".org", ".tex"};
constexpr std::string_view kCode[] = {
    ".c",  ".cc", ".cpp",  ".cxx",   ".h",     ".hh",   ".hpp",   ".py",   ".js",  ".ts",  ".java", ".go", ".rs",
    ".rb", ".pl", ".pm",   ".php",   ".sh",    ".bash", ".lua",   ".sql",  ".r",   ".jl",  ".kt",   ".cs", ".hs",
    ".ml", ".el", ".lisp", ".scala", ".swift", ".vim",  ".cmake", ".html", ".htm", ".css", ".xml"};

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool is_gzip(const fs::path& path) { return lower(path.extension().string()) == ".gz"; }

// The extension below a .gz.
std::string text_extension(const fs::path& path) {
  return lower((is_gzip(path) ? path.stem() : path).extension().string());
}

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

// Takes nothing from the sizes that the file claims; grows with what really comes out, in bounds.
std::string gunzip(std::string_view compressed, const std::string& file) {
  // Text shrinks 3 to 10 times. Only a bomb (or a file of one repeated line) goes beyond this.
  constexpr std::size_t kAlwaysFine = std::size_t{16} << 20;
  constexpr std::size_t kMostExpansion = 200;
  z_stream state{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&state, kGzipOnly) != Z_OK) fail("{}: zlib does not start", file);
  const std::unique_ptr<z_stream, InflateEnd> guard(&state);
  std::string text;
  std::string buffer(std::size_t{1} << 18, '\0');
  std::size_t consumed = 0;
  bool ended = false;
  while (consumed < compressed.size()) {
    if (ended && compressed.find_first_not_of('\0', consumed) == std::string_view::npos) break;  // tapes pad with zeros
    if (ended && inflateReset(&state) != Z_OK) fail("{}: zlib does not start again", file);      // several members
    const std::size_t piece = std::min<std::size_t>(compressed.size() - consumed, std::size_t{1} << 20);
    // zlib's interface predates const; it does not write to its input.
    state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + consumed));
    state.avail_in = static_cast<uInt>(piece);
    do {
      state.next_out = reinterpret_cast<Bytef*>(buffer.data());
      state.avail_out = static_cast<uInt>(buffer.size());
      const int result = inflate(&state, Z_NO_FLUSH);
      ended = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        fail("{}: broken gzip stream near byte {}: {}", file, consumed + piece - state.avail_in,
             state.msg != nullptr ? state.msg : "unknown reason");
      }
      text.append(buffer.data(), buffer.size() - state.avail_out);
      if (text.size() > kAlwaysFine && text.size() / kMostExpansion > compressed.size()) {
        fail("{}: {} compressed bytes grow to more than {}; this is no text", file, compressed.size(), text.size());
      }
    } while (!ended && state.avail_out == 0);
    consumed += piece - state.avail_in;
  }
  if (!ended) fail("{}: the gzip stream is cut short after {} bytes", file, compressed.size());
  return text;
}

void check_text(std::string& text, const std::string& file, bool lossy) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    fail("{}: looks like UTF-16, expected UTF-8; convert it with: iconv -f UTF-16 -t UTF-8", file);
  }
  if (const std::size_t position = text.find('\0'); position != std::string::npos) {
    fail("{}: binary (a NUL byte at {}), expected text", file, position);
  }
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string_view::npos) {
    if (!lossy) fail("{}: invalid UTF-8 at byte {}; --lossy replaces such bytes", file, invalid);
    text = replace_invalid_utf8(text);
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
}

// The code of "\uXXXX" at the beginning of `text`; -1: none there.
int escaped_code(std::string_view text) {
  constexpr std::size_t kLength = 6;
  int code = 0;
  if (text.size() < kLength || !text.starts_with("\\u")) return -1;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + kLength, code, 16);
  return error == std::errc() && end == text.data() + kLength ? code : -1;
}

// With U+FFFD in place of halves of surrogate pairs that stand alone, as web pages that were cut have them.
std::string with_whole_surrogates(std::string_view json) {
  constexpr std::size_t kLength = 6;
  const auto is_high = [](int code) { return code >= 0xD800 && code < 0xDC00; };
  const auto is_low = [](int code) { return code >= 0xDC00 && code < 0xE000; };
  std::string result;
  while (!json.empty()) {
    const int code = escaped_code(json);
    const bool pair = is_high(code) && is_low(escaped_code(json.substr(kLength)));
    const bool half = !pair && (is_high(code) || is_low(code));
    const std::size_t taken = pair ? 2 * kLength : half ? kLength : json.front() == '\\' ? 2 : 1;
    result += half ? "\\uFFFD" : json.substr(0, taken);
    json.remove_prefix(std::min(taken, json.size()));
  }
  return result;
}

std::vector<std::string> lines_of_json(std::string_view text, const std::string& file, bool lossy) {
  std::vector<std::string> documents;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}: line {}", file, number);
    std::string mended;
    if (line.find("\\ud") != std::string_view::npos || line.find("\\uD") != std::string_view::npos) {
      mended = with_whole_surrogates(line);
      if (mended == line) mended.clear();
      if (!mended.empty() && !lossy) fail("{}: half a surrogate pair; --lossy replaces it", where);
    }
    const nlohmann::json json = parse_json(mended.empty() ? line : mended, where);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) {
      fail("{}: expected an object with a string \"text\"", where);
    }
    const auto& document = json["text"].get_ref<const std::string&>();
    if (document.find('\0') != std::string::npos) fail("{}: binary (a NUL character), expected text", where);
    if (!document.empty()) documents.push_back(document);
  }
  return documents;
}

}  // namespace

bool is_known_text_file(const fs::path& path) {
  const std::string extension = text_extension(path);
  return extension == ".jsonl" || std::ranges::find(kProse, extension) != std::end(kProse) ||
         std::ranges::find(kCode, extension) != std::end(kCode);
}

std::string known_text_extensions() {
  std::string text = ".jsonl";
  for (const std::string_view extension : kProse) text += " " + std::string(extension);
  for (const std::string_view extension : kCode) text += " " + std::string(extension);
  return text;
}

std::string name_without_extensions(const fs::path& path) {
  return (is_gzip(path) ? path.stem() : path).stem().string();
}

std::vector<std::string> read_documents(const fs::path& path, bool lossy) {
  return parse_documents(read_text_file(path), path, lossy);
}

std::vector<std::string> parse_documents(std::string text, const fs::path& path, bool lossy) {
  const std::string file = path.string();
  if (is_gzip(path)) text = gunzip(text, file);
  check_text(text, file, lossy);
  if (text_extension(path) == ".jsonl") return lines_of_json(text, file, lossy);
  std::vector<std::string> documents;
  if (!text.empty()) documents.push_back(std::move(text));
  return documents;
}

}  // namespace witan
