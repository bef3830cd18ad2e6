#include <cerrno>
#include <cstdlib>
#include <openarchiver/testkit/temporary_folder.hpp>
#include <string>
#include <system_error>

namespace openarchiver::testkit {

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "openarchiver-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::system_error(errno, std::system_category(), "can't create " + pattern);
    }
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace openarchiver::testkit
