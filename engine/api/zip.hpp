#pragma once

#include <filesystem>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>

namespace openarchiver::api {

/// Writes the files below a folder as a zip file, in the order of their names, as it reads them.
sdk::Status write_zip(const std::filesystem::path& folder, sdk::ByteSink& sink,
                      std::stop_token stop);

}  // namespace openarchiver::api
