// analysis.json: what the experts of a trained model do with held-out text. Reads and checks it for the page.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace witan {

// {"domains", "layers": [{"layer", "experts", "load_by_domain", "load", "entropy", "top_tokens"}], "samples",
// "compressors"}, as web/src/report/data.ts describes, with shapes that agree: load_by_domain is domains × experts,
// load and top_tokens have one entry per expert. Throws Error naming the file, the layer and the sizes.
nlohmann::json read_analysis(const std::filesystem::path& path);

}  // namespace witan
