// The two algorithms of SentencePiece models.
#include <algorithm>
#include <limits>

#include "text/byte_trie.h"
#include "text/piece_merger.h"
#include "text/sentencepiece_encoder.h"
#include "text/utf8.h"

namespace witan {
namespace {

class BpeSplitter : public PieceSplitter {
 public:
  BpeSplitter(const SentencePieceModel& model, const UserPieces& user_pieces, const std::string& file)
      : user_pieces_(user_pieces), merger_(model, PieceMerger::Spaces::kMarked, file) {}

  void split(std::string_view text, std::vector<std::int32_t>& out) const override {
    std::size_t done = 0;
    for (std::size_t position = 0; position < text.size();) {
      const UserPieces::Match whole = user_pieces_.match(text.substr(position));
      if (whole.length == 0) {
        position += std::max<std::size_t>(1, utf8_length(text.substr(position)));
        continue;
      }
      merger_.encode(text.substr(done, position - done), out);
      out.push_back(whole.id);
      position += whole.length;
      done = position;
    }
    merger_.encode(text.substr(done), out);
  }

 private:
  const UserPieces& user_pieces_;
  PieceMerger merger_;
};

// Follows unigram::Model::EncodeOptimized.
class UnigramSplitter : public PieceSplitter {
 public:
  UnigramSplitter(const SentencePieceModel& model, const std::string& file)
      : model_(model), byte_ids_(byte_pieces(model, file)) {
    constexpr float kUnknownPenalty = 10.0F;
    float lowest = std::numeric_limits<float>::max();
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      const SentencePieceModel::Piece& piece = model.pieces[i];
      const auto id = static_cast<std::int32_t>(i);
      if (piece.type == Type::kUnknown) unknown_ = id;
      if (piece.type == Type::kNormal) {
        lowest = std::min(lowest, piece.score);
        highest_ = std::max(highest_, piece.score);
      }
      if (piece.type == Type::kNormal || piece.type == Type::kUserDefined) trie_.add(piece.text, id);
    }
    unknown_score_ = lowest - kUnknownPenalty;
  }

  void split(std::string_view text, std::vector<std::int32_t>& out) const override {
    std::vector<Path> paths(text.size() + 1);  // by where they end
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t length = std::max<std::size_t>(1, utf8_length(text.substr(begin)));
      const float before = paths[begin].score;
      bool is_piece = false;  // the character alone
      const auto offer = [&](std::size_t size, std::int32_t id, double score) {
        Path& path = paths[begin + size];
        if (path.id >= 0 && score <= static_cast<double>(path.score)) return;
        path = {static_cast<float>(score), begin, id};
      };
      trie_.prefixes(text.substr(begin), [&](std::size_t size, std::int32_t id) {
        is_piece = is_piece || size == length;
        offer(size, id, score_of(id, size) + static_cast<double>(before));
      });
      if (!is_piece) offer(length, unknown_, static_cast<double>(unknown_score_ + before));
      begin += length;
    }
    append(text, paths, out);
  }

 private:
  using Type = SentencePieceModel::Type;
  struct Path {
    float score = 0.0F;
    std::size_t begin = 0;  // of its last piece
    std::int32_t id = -1;   // of that; -1: no path yet
  };

  // One that users defined is always preferred.
  double score_of(std::int32_t id, std::size_t size) const {
    constexpr double kBonusLess = 0.1;
    const SentencePieceModel::Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
    if (piece.type == Type::kUserDefined) {
      return static_cast<double>(static_cast<float>(size) * highest_) - kBonusLess;
    }
    return static_cast<double>(piece.score);
  }

  void append(std::string_view text, const std::vector<Path>& paths, std::vector<std::int32_t>& out) const {
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    for (std::size_t end = text.size(); end > 0; end = paths[end].begin) {
      const Path& path = paths[end];
      if (path.id != unknown_ || byte_ids_[0] < 0) {
        out.push_back(path.id);
        continue;
      }
      for (std::size_t i = end; i > path.begin; --i) out.push_back(byte_ids_[static_cast<unsigned char>(text[i - 1])]);
    }
    std::reverse(out.begin() + first, out.end());
  }

  const SentencePieceModel& model_;
  std::array<std::int32_t, 256> byte_ids_;
  ByteTrie trie_;
  float highest_ = std::numeric_limits<float>::min();
  float unknown_score_ = 0.0F;
  std::int32_t unknown_ = -1;
};

}  // namespace

std::unique_ptr<PieceSplitter> make_bpe_splitter(const SentencePieceModel& model, const UserPieces& user_pieces,
                                                 const std::string& file) {
  return std::make_unique<BpeSplitter>(model, user_pieces, file);
}

std::unique_ptr<PieceSplitter> make_unigram_splitter(const SentencePieceModel& model, const std::string& file) {
  return std::make_unique<UnigramSplitter>(model, file);
}

}  // namespace witan
