#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "archive/support.hpp"
#include "export/layout.hpp"

using namespace openarchiver;
namespace fs = std::filesystem;

namespace {

exporter::Layout::Read reading(std::string_view text, sdk::Status end = {}) {
    return [text, end](sdk::ByteSink& sink) -> sdk::Status {
        OPENARCHIVER_CHECK(sink.write(std::as_bytes(std::span(text))));
        return end;
    };
}

}  // namespace

TEST_CASE("A stored file has its name when it is complete, and leaves nothing behind otherwise") {
    const test::TemporaryFolder folder;
    const auto output = exporter::OutputFolder::open(folder.path / "out", "{}");
    REQUIRE(output);
    const std::string path = "a/b/c.eml";

    const auto damaged =
        exporter::store_file(*output, path, reading("half", sdk::Error{sdk::Errc::corrupt, "bad"}));
    REQUIRE(damaged.damage);
    CHECK(damaged.damage->message == "bad");
    CHECK_FALSE(fs::exists(output->temporary(path)));
    CHECK_FALSE(fs::exists(output->folder() / path));

    fs::create_directories(output->folder() / path);  // in the way
    CHECK(exporter::store_file(*output, path, reading("whole")).failure);
    CHECK_FALSE(fs::exists(output->temporary(path)));
    fs::remove(output->folder() / path);

    const auto stored = exporter::store_file(*output, path, reading("whole"));
    CHECK_FALSE(stored.damage);
    CHECK_FALSE(stored.failure);
    CHECK_FALSE(fs::exists(output->temporary(path)));
    std::ifstream file(output->folder() / path);
    CHECK(std::string{std::istreambuf_iterator<char>(file), {}} == "whole");
}
