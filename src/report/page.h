// The HTML around the data: the template built from web/ with its one gap filled. Knows nothing of what the data means.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace witan {

// web/dist/report.html, embedded when the program was built.
std::string_view report_template();
// web/dist/comparison.html, likewise.
std::string_view comparison_template();
// web/dist/fit.html, likewise.
std::string_view fit_template();
// web/dist/inspect.html, likewise.
std::string_view inspect_template();

// JSON text that is safe inside <script>: the same value, but no byte of it can end the element or a line of script.
std::string json_for_script(const nlohmann::json& data);

// `page` with its gap filled by `data`.
std::string fill_page(std::string_view page, const nlohmann::json& data);

}  // namespace witan
