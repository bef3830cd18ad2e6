#include "files/shared_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace openarchiver;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kNobody = 65534;

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "openarchiver-files-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }

    ~Folder() { fs::remove_all(path); }

    fs::path path;
};

struct stat status_of(const fs::path& file) {
    struct stat status{};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status;
}

}  // namespace

TEST_CASE("A file is replaced as a whole, readable by whom it is for") {
    const Folder folder;
    const fs::path file = folder.path / "file";
    REQUIRE(files::replace_file(file, "one"));
    CHECK(files::read_shared(file) == "one");
    CHECK((status_of(file).st_mode & 0777U) == 0600);
    std::ofstream(fs::path(file) += ".new") << "left behind by a crash, longer than what comes";
    REQUIRE(files::replace_file(file, "two", files::Readers::everyone));
    CHECK(files::read_shared(file) == "two");
    CHECK((status_of(file).st_mode & 0044U) == 0044);
    CHECK_FALSE(fs::exists(fs::path(file) += ".new"));
}

TEST_CASE("What can't be written is told with its name, and the old text stays") {
    const Folder folder;
    const auto nowhere = files::replace_file(folder.path / "missing" / "file", "text");
    REQUIRE_FALSE(nowhere);
    CHECK(nowhere.error().message.find("missing/file") != std::string::npos);
    const fs::path file = folder.path / "file";
    REQUIRE(files::replace_file(file, "old"));
    fs::create_directory(fs::path(file) += ".new");
    CHECK_FALSE(files::replace_file(file, "new"));
    CHECK(files::read_shared(file) == "old");
}

TEST_CASE("What root writes belongs to the folder's owner") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can write for others");
        return;
    }
    const Folder folder;
    REQUIRE(::chown(folder.path.c_str(), kNobody, kNobody) == 0);
    REQUIRE(files::replace_file(folder.path / "file", "text"));
    CHECK(status_of(folder.path / "file").st_uid == kNobody);
    CHECK(files::FileLock(folder.path / "lock").held());
    CHECK(status_of(folder.path / "lock").st_uid == kNobody);
}
