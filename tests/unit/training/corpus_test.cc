// Corpora: which files become which domains, where the held-out text begins, and what is refused.
#include <gtest/gtest.h>

#include <csignal>
#include <sstream>

#include "base/file.h"
#include "base/interrupt.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/text_folder.h"
#include "training/dataset.h"

namespace witan {
namespace corpus_test {

namespace fs = std::filesystem;
using test::error_message;
using test::numbered_lines;
using Names = std::vector<std::string>;

class CorpusTest : public ::testing::Test {
 protected:
  Corpus read(const Names& names, double share = 0.1) const {
    DataOptions options;
    for (const std::string& name : names) options.paths.push_back(folder_ / name);
    options.heldout_share = share;
    return read_corpus(options);
  }
  std::string refusal(const Names& names, double share = 0.1) const {
    const std::string message = error_message([&] { read(names, share); });
    const std::string prefix = folder_.path().string() + "/";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }
  void write(const std::string& name, const std::string& content) { write_file(folder_ / name, content); }

  test::TemporaryFolder folder_;
};

std::string joined(const std::vector<Document>& documents, std::int32_t domain) {
  std::string text;
  for (const Document& document : documents) {
    if (document.domain == domain) text += document.text;
  }
  return text;
}

TEST_F(CorpusTest, FoldersAndFilesAtTheTopAreDomains) {
  write("data/fr/b.txt", numbered_lines("fr b", 10));
  write("data/fr/deep/a.txt", numbered_lines("fr a", 10));
  write("data/en.txt", numbered_lines("en", 10));
  write("data/code/x.py", numbered_lines("code", 10));
  write("data/code/picture.png", std::string(10, '\0'));
  write("data/.hidden/x.txt", "hidden");
  write("data/.hidden.txt", "hidden");
  const Corpus corpus = read({"data"}, 0.0);
  EXPECT_EQ(corpus.domains, (Names{"code", "en", "fr"}));
  EXPECT_EQ(joined(corpus.train, 2), numbered_lines("fr b", 10) + numbered_lines("fr a", 10));
  EXPECT_EQ(corpus.train.size(), 4U);
  EXPECT_TRUE(corpus.heldout.empty());
}

TEST_F(CorpusTest, EachOfSeveralPathsIsADomain) {
  write("a/x/1.txt", "a x\n");
  write("a/y/2.txt", "a y\n");
  write("b/3.txt", "b\n");
  write("notes.odd", "notes\n");
  EXPECT_EQ(read({"a", "b", "notes.odd"}).domains, (Names{"a", "b", "notes"}));
  EXPECT_EQ(read({"a/", "notes.odd"}).domains, (Names{"a", "notes"}));
  EXPECT_EQ(read({"notes.odd"}).domains, Names{"notes"});
}

TEST_F(CorpusTest, ManyFilesAtTheTopAreOneDomain) {
  for (int i = 0; i < 33; ++i) write("many/" + std::to_string(i) + ".txt", "text\n");
  write("many/sub/x.txt", "more\n");
  EXPECT_EQ(read({"many"}).domains, (Names{"many", "sub"}));
  fs::remove(folder_ / "many/7.txt");
  EXPECT_EQ(read({"many"}).domains.size(), 33U);
}

TEST_F(CorpusTest, TextGivenTwiceIsReadOnce) {
  write("a/x.txt", "text\n");
  EXPECT_EQ(read({"a", "a/x.txt", "a"}, 0.0).train_bytes, 5);
}

TEST_F(CorpusTest, ResultsInTheFolderOfTheirTextAreNoText) {
  write("d/en.txt", "a\nb\n");
  const std::string before = read({"d"}, 0.0).content_key;
  write("d/run/checkpoint/state.json", "{}");
  write("d/run/heldout.txt", "b\n");
  write("d/books/run/settings.json", "{}");
  write("d/books/run/metrics.jsonl", "{\"kind\": \"run\"}\n");
  write("d/zoo/comparison.json", "{}");
  write("d/zoo/comparison.html", "<p>");
  EXPECT_EQ(read({"d"}, 0.0).content_key, before);
  EXPECT_EQ(read({"d/run"}, 0.0).train_bytes, 2);  // asked for by its name
}

TEST_F(CorpusTest, ALinkToAFolderIsNotFollowed) {
  write("a/x/1.txt", "text\n");
  fs::create_directory_symlink(folder_.path(), folder_ / "a/x/loop");
  EXPECT_EQ(read({"a"}, 0.0).train.size(), 1U);
}

TEST_F(CorpusTest, HoldsOutTheLastLines) {
  const std::string text = numbered_lines("en", 100);
  write("en.txt", text);
  const Corpus corpus = read({"en.txt"}, 0.1);
  ASSERT_EQ(corpus.train.size(), 1U);
  ASSERT_EQ(corpus.heldout.size(), 1U);
  EXPECT_EQ(corpus.train[0].text + corpus.heldout[0].text, text);
  EXPECT_EQ(corpus.heldout[0].text, text.substr(text.find("en line 90")));
  EXPECT_EQ(corpus.heldout_bytes, static_cast<std::int64_t>(corpus.heldout[0].text.size()));
  EXPECT_EQ(corpus.train_bytes + corpus.heldout_bytes, static_cast<std::int64_t>(text.size()));
  EXPECT_EQ(heldout_text(corpus), corpus.heldout[0].text);
}

TEST_F(CorpusTest, HoldsOutWholeDocumentsFirst) {
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "{\"text\": \"document " + std::to_string(10 + i) + "\"}\n";
  write("d.jsonl", lines);
  const Corpus corpus = read({"d.jsonl"}, 0.25);
  EXPECT_EQ(corpus.train.size(), 15U);
  ASSERT_EQ(corpus.heldout.size(), 5U);
  EXPECT_EQ(corpus.heldout[0].text, "document 25");
}

TEST_F(CorpusTest, HoldsOutInSeveralPlacesOfABook) {
  const std::string text = numbered_lines("book", 60'000);
  write("book.txt", text);
  const Corpus corpus = read({"book.txt"}, 0.05);
  ASSERT_EQ(corpus.train.size(), corpus.heldout.size());
  EXPECT_GT(corpus.heldout.size(), 4U);
  std::string together;
  for (std::size_t i = 0; i < corpus.train.size(); ++i) together += corpus.train[i].text + corpus.heldout[i].text;
  EXPECT_EQ(together, text);
  EXPECT_NEAR(static_cast<double>(corpus.heldout_bytes), 0.05 * static_cast<double>(text.size()), 200.0);
}

TEST_F(CorpusTest, HoldsOutInSeveralPlacesOfManyDocuments) {
  std::string lines;
  for (int i = 1000; i < 3000; ++i) lines += "{\"text\": \"" + std::to_string(i) + std::string(500, 'a') + "\"}\n";
  write("d.jsonl", lines);
  const Corpus corpus = read({"d.jsonl"}, 0.05);
  EXPECT_EQ(corpus.train.size() + corpus.heldout.size(), 2'000U);  // none is cut
  EXPECT_NEAR(static_cast<double>(corpus.heldout.size()), 0.05 * 2'000, 8.0);
  EXPECT_LT(corpus.heldout.front().text.substr(0, 4), "1400");
  EXPECT_GT(corpus.heldout.back().text.substr(0, 4), "2900");
}

TEST_F(CorpusTest, EveryDomainWithTwoLinesHasBothSides) {
  write("d/two_lines.txt", "a much longer first line than the second\nx\n");
  write("d/other_way.txt", "x\na much longer second line than the first one\n");
  write("d/two_documents.jsonl", "{\"text\": \"long long long\"}\n{\"text\": \"s\"}\n");
  for (const double share : {0.001, 0.05, 0.5, 0.9, 0.999}) {
    const Corpus corpus = read({"d"}, share);
    ASSERT_EQ(corpus.domains.size(), 3U);
    for (std::int32_t domain = 0; domain < 3; ++domain) {
      EXPECT_NE(joined(corpus.train, domain), "") << share << " " << domain;
      EXPECT_NE(joined(corpus.heldout, domain), "") << share << " " << domain;
    }
  }
}

TEST_F(CorpusTest, ASingleLineIsCutAtASpaceOrBetweenCharacters) {
  write("one.txt", "one line, nowhere else to cut");
  EXPECT_EQ(read({"one.txt"}, 0.5).heldout.at(0).text, "else to cut");
  EXPECT_EQ(read({"one.txt"}, 0.0001).heldout.at(0).text, "cut");
  EXPECT_EQ(read({"one.txt"}, 0.9999).train.at(0).text, "one ");
  write("two.txt", "日本語の文章です");
  EXPECT_EQ(read({"two.txt"}, 0.27).heldout.at(0).text, "です");
  EXPECT_EQ(read({"two.txt"}, 0.0001).heldout.at(0).text, "す");
  write("three.txt", "x");
  EXPECT_TRUE(read({"three.txt"}, 0.5).heldout.empty()) << "nowhere to cut";
}

TEST_F(CorpusTest, TheShareIsMetWithinALine) {
  for (const int lines : {40, 333, 2000}) {
    write("x.txt", numbered_lines("some words of text", lines));
    for (const double share : {0.05, 0.3, 0.7}) {
      const Corpus corpus = read({"x.txt"}, share);
      const auto total = static_cast<double>(corpus.train_bytes + corpus.heldout_bytes);
      EXPECT_NEAR(static_cast<double>(corpus.heldout_bytes), share * total, 16.0);
    }
  }
}

TEST_F(CorpusTest, TheShareIsMetWhereLineEndsAreFarAway) {
  const auto line = [](int words) {
    std::string text;
    for (int i = 0; i < words; ++i) text += "word ";
    return text;
  };
  write("titled.txt", "Title\n" + line(4000));
  write("two.txt", line(4000) + "\n" + line(4000));
  write("closed.txt", line(4000) + "\n]");
  write("few.jsonl", "{\"text\": \"" + line(2000) + "\"}\n{\"text\": \"" + line(2000) + "\"}\n");
  for (const char* name : {"titled.txt", "two.txt", "closed.txt", "few.jsonl"}) {
    const Corpus corpus = read({name}, 0.05);
    const auto total = static_cast<double>(corpus.train_bytes + corpus.heldout_bytes);
    EXPECT_NEAR(static_cast<double>(corpus.heldout_bytes), 0.05 * total, 16.0) << name;
  }
}

TEST_F(CorpusTest, ShowsProgressAndStopsWhenInterrupted) {
  write("x.txt", numbered_lines("x", 30));
  std::ostringstream out;
  DataOptions options;
  options.paths = {folder_ / "x.txt"};
  options.progress.out = &out;
  read_corpus(options);
  EXPECT_TRUE(out.str().starts_with("read: 0.")) << out.str();
  EXPECT_TRUE(out.str().ends_with(", 1 file\n")) << out.str();
  const InterruptScope scope;
  std::raise(SIGINT);
  EXPECT_THROW(read({"x.txt"}), Interrupted);
}

TEST_F(CorpusTest, TheContentDecidesTheKey) {
  write("a/x.txt", numbered_lines("x", 30));
  write("a/y.txt", numbered_lines("y", 30));
  const std::string key = read({"a"}).content_key;
  EXPECT_EQ(key.size(), 32U);
  EXPECT_EQ(read({"a"}).content_key, key);
  EXPECT_NE(read({"a"}, 0.3).content_key, key);
  fs::rename(folder_ / "a/y.txt", folder_ / "a/z.txt");
  EXPECT_NE(read({"a"}).content_key, key);
  fs::rename(folder_ / "a/z.txt", folder_ / "a/y.txt");
  EXPECT_EQ(read({"a"}).content_key, key);
  write("a/y.txt", numbered_lines("y", 29) + "y line 28\n");
  EXPECT_NE(read({"a"}).content_key, key);
}

TEST_F(CorpusTest, SaysWhatIsWrong) {
  write("empty.txt", "");
  write("pictures/x.png", "x");
  fs::create_directory(folder_ / "nothing");
  write("bad/x.txt", "good\n\xFF");
  EXPECT_EQ(refusal({}), "data: no paths given, expected files or folders with text");
  EXPECT_EQ(refusal({"missing"}), "missing: no such file or folder");
  EXPECT_EQ(refusal({"empty.txt"}), "empty.txt: empty: a file without any text");
  EXPECT_TRUE(refusal({"pictures"}).starts_with("pictures: no text found: looked for files ending in .jsonl .txt "));
  EXPECT_TRUE(refusal({"pictures"}).ends_with("; others that were skipped: 1"));
  EXPECT_TRUE(refusal({"nothing"}).ends_with("; others that were skipped: 0"));
  EXPECT_TRUE(refusal({"nothing", "empty.txt"}).starts_with("nothing: no text found"));
  EXPECT_EQ(refusal({"bad"}), "bad/x.txt: invalid UTF-8 at byte 5; --lossy replaces such bytes");
  write("fine.txt", "text");
  EXPECT_EQ(refusal({"fine.txt"}, 1.0), "data.heldout_share: 1 is out of range (expected 0 or more, below 1)");
  EXPECT_EQ(refusal({"fine.txt"}, -0.1), "data.heldout_share: -0.1 is out of range (expected 0 or more, below 1)");
}

}  // namespace corpus_test
}  // namespace witan
