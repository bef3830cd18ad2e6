#pragma once

#include <string>

namespace openarchiver::cli {

/// Who runs the program: "name@host".
[[nodiscard]] std::string system_user();

}  // namespace openarchiver::cli
