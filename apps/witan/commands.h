// The commands of `witan`, one file each. A new command is one file and one line in program.cc.
#pragma once

namespace CLI {
class App;
}

namespace witan::cli {

// Each adds its subcommand, with options and callback. A callback throws Error for what the user did wrong, and
// CLI::RuntimeError(code) to end with another exit code.
void add_train(CLI::App& app);
void add_generate(CLI::App& app);
void add_eval(CLI::App& app);
void add_inspect(CLI::App& app);
void add_diff(CLI::App& app);
void add_convert(CLI::App& app);
void add_report(CLI::App& app);
void add_compare(CLI::App& app);
void add_fit(CLI::App& app);
void add_predict(CLI::App& app);
void add_upcycle(CLI::App& app);
void add_extract(CLI::App& app);
void add_join(CLI::App& app);

}  // namespace witan::cli
