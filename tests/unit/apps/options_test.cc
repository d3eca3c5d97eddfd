// Flags from fields, and what a wrong command line answers.
#include "witan/options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/error.h"
#include "base/interrupt.h"
#include "witan/command_line.h"

namespace witan::cli {
namespace options_test {

struct Example {
  bool tied = true;
  std::int64_t hidden_size = 8;
  double rate = 0.5;
  std::string kind = "soft";

  Fields fields() {
    Fields fields("example");
    fields.flag("tied", tied, "Tied or not")
        .integer("hidden_size", hidden_size, 1, 64, "A width")
        .real("rate", rate, 0.0, 1.0, "A rate")
        .choice("kind", kind, {"soft", "hard"}, "A kind");
    return fields;
  }
};

class OptionsTest : public testing::Test {
 protected:
  OptionsTest() {
    app_.require_subcommand(1);
    CLI::App* command = app_.add_subcommand("make", "Makes");
    bind_fields(*command, "Example", example_.fields());
    command->callback([this] {
      ++calls_;
      if (example_.hidden_size == 13) fail("example.hidden_size: {} is unlucky", 13);
      if (example_.hidden_size == 14) throw Interrupted();
      if (example_.hidden_size == 15) WITAN_ASSERT(example_.hidden_size != 15);
      if (example_.hidden_size == 16) {
        throw std::filesystem::filesystem_error("rename", "folder/file",
                                                std::make_error_code(std::errc::no_space_on_device));
      }
      chosen_ = chosen_fields(*app_.get_subcommand("make"), example_.fields());
    });
  }

  // Exit code; what stderr got is in message_.
  int run_with(const std::vector<std::string>& arguments) {
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const int code = run(app_, arguments);
    message_ = testing::internal::GetCapturedStderr();
    output_ = testing::internal::GetCapturedStdout();
    return code;
  }

  Example example_;
  CLI::App app_{"test", "witan"};
  int calls_ = 0;
  std::set<std::string> chosen_;
  std::string message_;
  std::string output_;
};

TEST_F(OptionsTest, SetsFieldsOfEveryType) {
  EXPECT_EQ(run_with({"make", "--no-tied", "--hidden-size", "17", "--rate=0.25", "--kind", "hard"}), 0) << message_;
  EXPECT_FALSE(example_.tied);
  EXPECT_EQ(example_.hidden_size, 17);
  EXPECT_EQ(example_.rate, 0.25);
  EXPECT_EQ(example_.kind, "hard");
  EXPECT_EQ(calls_, 1);
}

TEST_F(OptionsTest, KnowsWhichFieldsWereChosen) {
  EXPECT_EQ(run_with({"make", "--no-tied", "--rate=0.5"}), 0) << message_;
  EXPECT_EQ(chosen_, (std::set<std::string>{"rate", "tied"})) << "a default that was asked for counts";
}

TEST_F(OptionsTest, TakesUnderscoresAndTheLastOfRepeatedFlags) {
  EXPECT_EQ(run_with({"make", "--hidden_size", "18", "--hidden_size=32", "--no-tied", "--tied"}), 0) << message_;
  EXPECT_EQ(example_.hidden_size, 32);
  EXPECT_TRUE(example_.tied);
}

TEST(NormalizedArgumentsTest, ChangesNamesOnly) {
  EXPECT_EQ(normalized_arguments({"a_b", "--c_d=e_f", "-g_h", "--", "--i_j"}),
            (std::vector<std::string>{"a_b", "--c-d=e_f", "-g_h", "--", "--i_j"}));
}

TEST_F(OptionsTest, UnknownOptionNamesTheNearest) {
  EXPECT_EQ(run_with({"make", "--hiden-size", "16"}), 2);
  EXPECT_EQ(message_,
            "witan: error: unknown option '--hiden-size' (did you mean '--hidden-size'?); see `witan make --help`\n");
  EXPECT_EQ(calls_, 0);
}

TEST_F(OptionsTest, UnknownCommandNamesTheNearest) {
  EXPECT_EQ(run_with({"mkae"}), 2);
  EXPECT_EQ(message_, "witan: error: unknown command 'mkae' (did you mean 'make'?); see `witan --help`\n");
}

TEST_F(OptionsTest, MissingCommandAndStrayArgumentAreErrors) {
  EXPECT_EQ(run_with({}), 2);
  EXPECT_EQ(run_with({"make", "stray"}), 2);
  EXPECT_NE(message_.find("'stray'"), std::string::npos) << message_;
}

TEST_F(OptionsTest, WrongValueNamesFlagAndBounds) {
  EXPECT_EQ(run_with({"make", "--hidden-size", "65"}), 2);
  EXPECT_EQ(message_, "witan: error: --hidden-size: 65 exceeds 64 (expected 1 to 64); see `witan make --help`\n");
  EXPECT_EQ(example_.hidden_size, 8);
  EXPECT_EQ(run_with({"make", "--kind", "sotf"}), 2);
  EXPECT_NE(message_.find("'soft'"), std::string::npos) << message_;
  EXPECT_EQ(run_with({"make", "--rate"}), 2);
  EXPECT_EQ(calls_, 0);
}

TEST_F(OptionsTest, HelpShowsDefaultsAndBoundsByGroup) {
  EXPECT_EQ(run_with({"make", "--help"}), 0);
  for (const char* expected : {"Example:", "--hidden-size INT=8", "A width [1 to 64]", "--rate NUMBER=0.5",
                               "--kind NAME=soft", "soft, hard", "--tied", "--no-tied", "[default: on]"}) {
    EXPECT_NE(output_.find(expected), std::string::npos) << expected << " in\n" << output_;
  }
  EXPECT_EQ(output_.find("{false}"), std::string::npos) << output_;
  EXPECT_EQ(calls_, 0);
}

TEST_F(OptionsTest, ExitCodesTellWhoseMistakeItWas) {
  EXPECT_EQ(run_with({"make", "--hidden-size", "13"}), 1);
  EXPECT_EQ(message_, "witan: error: example.hidden_size: 13 is unlucky\n");
  EXPECT_EQ(run_with({"make", "--hidden-size", "14"}), 130);
  EXPECT_EQ(message_, "");
  EXPECT_EQ(run_with({"make", "--hidden-size", "15"}), 70);
  EXPECT_EQ(run_with({"make", "--hidden-size", "16"}), 1);
  EXPECT_EQ(message_, "witan: error: folder/file: No space left on device\n");
}

}  // namespace options_test
}  // namespace witan::cli
