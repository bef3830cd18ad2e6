#include "api/zip.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace openarchiver::api {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;

struct Output {
    sdk::ByteSink& sink;
    Status status;
};

la_ssize_t write_piece(struct archive* zip, void* data, const void* bytes, std::size_t size) {
    auto& output = *static_cast<Output*>(data);
    output.status = output.sink.write({static_cast<const std::byte*>(bytes), size});
    if (output.status) {
        return static_cast<la_ssize_t>(size);
    }
    ::archive_set_error(zip, EIO, "the client went away");
    return -1;
}

Error failed(struct archive* zip, const Output& output) {
    if (!output.status) {
        return output.status.error();
    }
    const char* const why = ::archive_error_string(zip);
    return {Errc::unavailable, std::string("writing a zip file: ") + (why ? why : "unknown")};
}

Status add(struct archive* zip, const Output& output, const std::filesystem::path& file,
           const std::string& name, const std::stop_token& stop) {
    struct stat status{};
    std::ifstream stream(file, std::ios::binary);
    if (!stream || ::stat(file.c_str(), &status) != 0) {
        return Error{Errc::unavailable, "the file " + name + " of the export can't be read"};
    }
    const std::unique_ptr<struct archive_entry, decltype(&::archive_entry_free)> entry(
        ::archive_entry_new(), ::archive_entry_free);
    ::archive_entry_set_pathname_utf8(entry.get(), name.c_str());
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
    ::archive_entry_set_perm(entry.get(), 0644);
    ::archive_entry_set_size(entry.get(), status.st_size);
    ::archive_entry_set_mtime(entry.get(), status.st_mtime, 0);
    if (::archive_write_header(zip, entry.get()) != ARCHIVE_OK) {
        return failed(zip, output);
    }
    std::vector<char> piece(kPiece);
    while (!stop.stop_requested()) {
        stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        const auto got = static_cast<std::size_t>(stream.gcount());
        if (got == 0) {
            return {};
        }
        if (::archive_write_data(zip, piece.data(), got) < 0) {
            return failed(zip, output);
        }
    }
    return Error{Errc::cancelled, "stopped"};
}

}  // namespace

Status write_zip(const std::filesystem::path& folder, sdk::ByteSink& sink, std::stop_token stop) {
    std::vector<std::filesystem::path> files;
    std::error_code code;
    for (std::filesystem::recursive_directory_iterator at(folder, code), end; !code && at != end;
         at.increment(code)) {
        if (at->is_regular_file(code)) {
            files.push_back(at->path());
        }
    }
    if (code) {
        return Error{Errc::unavailable, "the export can't be read: " + code.message()};
    }
    std::ranges::sort(files);
    Output output{sink, {}};
    const std::unique_ptr<struct archive, decltype(&::archive_write_free)> zip(
        ::archive_write_new(), ::archive_write_free);
    ::archive_write_set_format_zip(zip.get());
    ::archive_write_set_options(zip.get(), "hdrcharset=UTF-8");
    ::archive_write_set_bytes_per_block(zip.get(), static_cast<int>(kPiece));
    ::archive_write_set_bytes_in_last_block(zip.get(), 1);
    if (::archive_write_open(zip.get(), &output, nullptr, write_piece, nullptr) != ARCHIVE_OK) {
        return failed(zip.get(), output);
    }
    for (const auto& file : files) {
        OPENARCHIVER_CHECK(
            add(zip.get(), output, file, file.lexically_relative(folder).string(), stop));
    }
    return ::archive_write_close(zip.get()) == ARCHIVE_OK ? Status()
                                                          : Status(failed(zip.get(), output));
}

}  // namespace openarchiver::api
