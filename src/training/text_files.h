// Which files hold text, and their content as documents. Not where they belong: that is the corpus.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace witan {

// Whether a file met inside a folder is read: .txt, .jsonl, prose and source code, each also with .gz. Others may still
// be named one by one.
bool is_known_text_file(const std::filesystem::path& path);
// The known extensions, for messages.
std::string known_text_extensions();
// "en.txt.gz" -> "en".
std::string name_without_extensions(const std::filesystem::path& path);

// The documents of one file: each line's "text" of .jsonl, else the whole file; without a byte order mark. Empty ones
// are left out. Throws Error naming the file: unreadable, a broken or implausibly expanding gzip stream, binary (a NUL
// byte), invalid UTF-8 with its byte offset (unless `lossy`: U+FFFD), a line that is no object with a string "text".
// Offsets count uncompressed bytes.
std::vector<std::string> read_documents(const std::filesystem::path& path, bool lossy);
// The same for content that is in memory; the path only says what kind it is.
std::vector<std::string> parse_documents(std::string content, const std::filesystem::path& path, bool lossy);

}  // namespace witan
