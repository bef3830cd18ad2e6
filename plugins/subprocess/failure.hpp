#pragma once

#include <openarchiver/sdk/error.hpp>
#include <string>

namespace openarchiver::subprocess {

inline sdk::Error failure(sdk::Errc code, std::string message) {
    return {.code = code, .message = std::move(message)};
}

inline sdk::Error cancelled() {
    return failure(sdk::Errc::cancelled, "stopped");
}

}  // namespace openarchiver::subprocess
