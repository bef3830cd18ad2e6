#include "key.hpp"

#include <climits>
#include <openarchiver/sdk/object_key.hpp>
#include <string>

namespace openarchiver::filesystem {

sdk::Status check_key(std::string_view key) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    std::size_t begin = 0;
    for (std::size_t end = 0; end != std::string_view::npos; begin = end + 1) {
        end = key.find('/', begin);
        if (std::min(end, key.size()) - begin > NAME_MAX) {
            return sdk::Error{.code = sdk::Errc::unsupported,
                              .message = "the key \"" + std::string(key.substr(0, 80)) +
                                         "…\" is refused: a file name has at most 255 characters"};
        }
    }
    return {};
}

std::string_view folder_of(std::string_view key) noexcept {
    const std::size_t slash = key.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

}  // namespace openarchiver::filesystem
