// What commands that write a model's folder tensor by tensor show: sizes before, progress while they write.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "models/upcycling/model_writer.h"

namespace witan {
struct DecoderConfig;
}

namespace witan::cli {

// "mixtral, 1.2 M parameters, 0.6 M of them active per token": model_type and sizes of a config.
std::string model_text(const DecoderConfig& config);
// Calls write(listener) with a listener that shows progress through `bytes` bytes on stderr, and then says that
// `output` is the model. Where the caller has an InterruptScope, Ctrl-C stops the writing, of which nothing stays.
void write_with_progress(const std::string& output, std::int64_t bytes,
                         const std::function<void(const WriteListener&)>& write);

}  // namespace witan::cli
