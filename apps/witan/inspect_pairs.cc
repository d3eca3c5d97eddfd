// Files to lines or documents, those to pairs.
#include "witan/inspect_pairs.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "training/text_files.h"
#include "witan/evaluation_text.h"
#include "witan/translate.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

// What an output is without --target-data is in the language of its source.
void fill_languages(const SourceText& source, bool same_text, PairOptions& options) {
  if (source.languages().empty()) {
    if (!options.source_language.empty() || !options.target_language.empty()) {
      fail("inspect: --source-lang and --target-lang are for models that translate; this one names no languages");
    }
    return;
  }
  if (options.source_language.empty()) options.source_language = source.default_source();
  if (options.target_language.empty()) {
    options.target_language = same_text ? options.source_language : source.default_target();
  }
  if (options.target_language.empty()) {
    fail("inspect: --target-lang is missing: what --target-data is written in, such as {}", source.languages().front());
  }
}

std::vector<std::string> file_lines(const fs::path& path, bool lossy) {
  if (fs::is_directory(path)) fail("{}: a folder, expected a file whose lines pair", path.string());
  std::string name = path.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  if (name.ends_with(".jsonl")) fail("{}: lines of JSON do not pair, expected plain text", path.string());
  const std::vector<std::string> documents = read_documents(path, lossy);
  return documents.empty() ? std::vector<std::string>() : lines_of(documents.front());
}

struct PairedFile {
  std::vector<std::string> sources;
  std::vector<std::string> outputs;
};

PairedText pair_lines(const PairRequest& request, const PairMaker& maker) {
  if (request.data.size() != request.target.size()) {
    fail("inspect: {} files of --data and {} of --target-data, expected one for each", request.data.size(),
         request.target.size());
  }
  PairedText text;
  std::vector<PairedFile> files;
  std::vector<std::uint16_t> domains;
  for (std::size_t i = 0; i < request.data.size(); ++i) {
    PairedFile& file = files.emplace_back(
        PairedFile{file_lines(request.data[i], request.lossy), file_lines(request.target[i], request.lossy)});
    if (file.sources.size() != file.outputs.size()) {
      fail("inspect: {} has {} lines and {} has {}: they do not pair", request.data[i], file.sources.size(),
           request.target[i], file.outputs.size());
    }
    const std::string name = name_without_extensions(request.data[i]);
    const auto known = std::ranges::find(text.domains, name);
    domains.push_back(static_cast<std::uint16_t>(known - text.domains.begin()));
    if (known == text.domains.end()) text.domains.push_back(name);
  }
  std::vector<PairedLine> lines;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::size_t line = 0; line < files[i].sources.size(); ++line) {
      lines.push_back({files[i].sources[line], files[i].outputs[line], domains[i]});
    }
  }
  text.pairs = maker.of_lines(lines);
  text.reading = "the encoder reads lines of the text, the decoder is given the lines that pair with them";
  return text;
}

}  // namespace

PairedText read_pairs(const fs::path& folder, const EncoderDecoderConfig& config, const Tokenizer& tokenizer,
                      PairRequest request) {
  const SourceText source(folder, config, tokenizer);
  const bool same_text = request.target.empty();
  fill_languages(source, same_text, request.options);
  const PairMaker maker(config, tokenizer, source, request.options);
  PairedText text;
  if (same_text) {
    Corpus corpus = read_evaluation_text(request.data, request.lossy);
    text.pairs = maker.of_documents(corpus.heldout);
    text.domains = std::move(corpus.domains);
    text.reading = "the encoder reads the text, the decoder is given the same text";
  } else {
    text = pair_lines(request, maker);
  }
  const PairOptions& options = request.options;
  if (!options.source_language.empty()) {
    text.reading += fmt::format(" ({} to {})", options.source_language, options.target_language);
  }
  std::int64_t sources = 0;
  for (const TextPair& pair : text.pairs) sources += static_cast<std::int64_t>(pair.source.size());
  text.reading += fmt::format(": {} pairs, {} tokens of sources", text.pairs.size(), sources);
  return text;
}

}  // namespace witan::cli
