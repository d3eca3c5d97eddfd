// Parsed as a stream of events: a vocabulary of 200,000 tokens as a tree of JSON values would take seconds and
// gigabytes.
#include "text/tokenizer_document.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"

namespace witan {
namespace {

using DocumentJson = nlohmann::json;

// Takes the events of nlohmann's parser. Containers outside model.vocab and model.merges become JSON values.
class Reader : public nlohmann::json_sax<DocumentJson> {
 public:
  struct Id {
    TokenizerDocument::Text token;
    std::int32_t id = 0;
  };

  explicit Reader(TokenizerDocument& document) : document_(document) {}
  const std::vector<Id>& ids() const { return ids_; }  // of the vocabulary

  bool null() override { return value(DocumentJson()); }
  bool boolean(bool given) override { return value(DocumentJson(given)); }
  bool number_integer(number_integer_t given) override {
    return number(static_cast<double>(given), DocumentJson(given));
  }
  bool number_unsigned(number_unsigned_t given) override {
    return number(static_cast<double>(given), DocumentJson(given));
  }
  bool number_float(number_float_t given, const string_t&) override { return number(given, DocumentJson(given)); }
  bool binary(binary_t&) override { return value(DocumentJson()); }

  bool string(string_t& given) override {
    if (place_ == Place::kMerges) return merge_text(given);
    if (place_ == Place::kScores && inner_ == 1 && !token_) {
      token_ = std::move(given);
      return true;
    }
    return value(DocumentJson(std::move(given)));
  }

  bool start_object(std::size_t) override {
    if (place_ != Place::kOutside) refuse_list();
    if (in_model() && key_ == "vocab") {
      place_ = Place::kIds;
      document_.has_vocabulary = true;
      return true;
    }
    open(DocumentJson::object());
    return true;
  }
  bool key(string_t& given) override {
    if (place_ == Place::kIds) {
      token_ = std::move(given);
      return true;
    }
    if (!keys_.back().insert(given).second) {
      fail("{}: invalid JSON: key \"{}\" stands twice in one object", document_.file, given);
    }
    key_ = std::move(given);
    return true;
  }
  bool end_object() override {
    if (place_ == Place::kIds) {
      place_ = Place::kOutside;
    } else {
      close();
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kScores || place_ == Place::kMerges) {
      if (inner_ != 0) refuse_list();
      inner_ = 1;
      return true;
    }
    if (place_ == Place::kIds) refuse_list();
    if (in_model() && key_ == "vocab") {
      place_ = Place::kScores;
      document_.has_vocabulary = true;
      return true;
    }
    if (in_model() && key_ == "merges") {
      place_ = Place::kMerges;
      document_.has_merges = true;
      return true;
    }
    open(DocumentJson::array());
    return true;
  }
  bool end_array() override {
    if (place_ == Place::kOutside) {
      close();
    } else if (inner_ == 0) {
      place_ = Place::kOutside;
    } else {
      const bool whole = place_ == Place::kMerges ? texts_ == 2 : !token_ && inner_ == 2;
      if (!whole) refuse_list();
      inner_ = 0;
      texts_ = 0;
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const std::string what = error.what();
    const std::size_t reason = what.find(": ");
    fail("{}: invalid JSON at byte {}: {}", document_.file, position,
         reason == std::string::npos ? what : what.substr(reason + 2));
  }

 private:
  enum class Place { kOutside, kIds, kScores, kMerges };

  bool in_model() const { return stack_.size() == 2 && model_is_open_ && stack_.back()->is_object(); }

  [[noreturn]] void refuse_list() const {
    if (place_ == Place::kMerges) {
      fail("{}: model.merges[{}]: expected \"left right\" or [\"left\", \"right\"]", document_.file,
           document_.merges.size());
    }
    fail("{}: model.vocab: expected a token and its number after \"{}\"", document_.file,
         ids_.empty() ? "" : document_.text(ids_.back().token));
  }

  // A value at the place that is open.
  DocumentJson* put(DocumentJson&& given) {
    if (stack_.empty()) {
      *document_.parts = std::move(given);
      return document_.parts.get();
    }
    DocumentJson& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(given));
      return &parent.back();
    }
    DocumentJson& place = parent[key_];
    place = std::move(given);
    return &place;
  }
  bool value(DocumentJson&& given) {
    if (place_ != Place::kOutside) refuse_list();
    put(std::move(given));
    return true;
  }
  void open(DocumentJson&& container) {
    constexpr std::size_t kDeepest = 100;
    if (stack_.size() == kDeepest) fail("{}: invalid JSON: values nest more than {} deep", document_.file, kDeepest);
    if (stack_.size() == 1 && key_ == "model") model_is_open_ = true;
    const bool object = container.is_object();
    stack_.push_back(put(std::move(container)));
    if (object) keys_.emplace_back();
  }
  void close() {
    if (stack_.back()->is_object()) keys_.pop_back();
    stack_.pop_back();
    if (stack_.size() == 1) model_is_open_ = false;
  }

  bool number(double given, DocumentJson&& json) {
    if (place_ == Place::kIds) {
      if (!json.is_number_integer() || given < 0 || given > INT32_MAX) {
        fail("{}: model.vocab: the id {} of \"{}\" is out of range", document_.file, json.dump(), *token_);
      }
      ids_.push_back({store(*token_), static_cast<std::int32_t>(given)});
      return true;
    }
    if (place_ == Place::kScores && inner_ == 1 && token_) {
      ids_.push_back({store(*token_), static_cast<std::int32_t>(document_.scores.size())});
      document_.scores.push_back(given);
      token_.reset();
      inner_ = 2;
      return true;
    }
    return value(std::move(json));
  }

  TokenizerDocument::Text store(const std::string& text) {
    document_.bytes += text;
    return {document_.bytes.size() - text.size(), text.size()};
  }

  bool merge_text(const std::string& given) {
    if (inner_ == 1) {
      if (texts_ == 0) document_.merges.push_back({store(given), {}});
      if (texts_ == 1) document_.merges.back().right = store(given);
      if (++texts_ > 2) refuse_list();
      return true;
    }
    if (given.starts_with("#version")) return true;  // the first line of a merges.txt
    const std::size_t space = given.find(' ');
    if (space == std::string::npos || given.find(' ', space + 1) != std::string::npos) refuse_list();
    const TokenizerDocument::Text whole = store(given);
    document_.merges.push_back({{whole.begin, space}, {whole.begin + space + 1, whole.length - space - 1}});
    return true;
  }

  TokenizerDocument& document_;
  std::vector<Id> ids_;
  Place place_ = Place::kOutside;
  std::vector<DocumentJson*> stack_;
  std::vector<std::set<std::string>> keys_;
  std::string key_;
  bool model_is_open_ = false;
  std::optional<std::string> token_;  // of a vocabulary, whose number comes next
  int inner_ = 0;                     // 0: between pairs; 1: in a pair; 2: in a pair that has its number
  int texts_ = 0;                     // of the pair that is open
};

}  // namespace

TokenizerDocument::~TokenizerDocument() = default;

TokenizerDocument::TokenizerDocument(std::string_view json, const std::string& name)
    : file(name), parts(std::make_unique<DocumentJson>()) {
  Reader reader(*this);
  DocumentJson::sax_parse(json.begin(), json.end(), &reader);
  if (!has_vocabulary) fail("{}: model.vocab is missing: not a tokenizer.json", file);
  // Memory follows the largest id: a few tokens must not claim gigabytes.
  const std::size_t most = 16 * reader.ids().size() + 65536;
  std::size_t length = 0;
  for (const Reader::Id& entry : reader.ids()) length += entry.token.length;
  vocabulary.reserve(reader.ids().size(), length);
  for (const Reader::Id& entry : reader.ids()) {
    if (static_cast<std::size_t>(entry.id) > most) {
      fail("{}: model.vocab: the id {} of \"{}\" is too large for {} tokens", file, entry.id, text(entry.token),
           reader.ids().size());
    }
    if (scores.empty() && vocabulary.find(text(entry.token)) >= 0) {
      fail("{}: invalid JSON: key \"{}\" stands twice in one object", file, text(entry.token));
    }
    vocabulary.add(text(entry.token), entry.id);
  }
}

}  // namespace witan
