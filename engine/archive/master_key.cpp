#include "archive/master_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <system_error>

#include "archive/base64.hpp"
#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "archive/seal.hpp"
#include "files/shared_file.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::size_t kTextSize = 44;

sdk::Error file_error(std::string_view what, const std::filesystem::path& file, int number) {
    sdk::Errc code = sdk::Errc::unavailable;
    if (number == ENOENT || number == ENOTDIR) {
        code = sdk::Errc::not_found;
    } else if (number == EEXIST) {
        code = sdk::Errc::already_exists;
    } else if (number == EACCES || number == EPERM || number == EROFS) {
        code = sdk::Errc::permission_denied;
    } else if (number == ENOSPC || number == EDQUOT) {
        code = sdk::Errc::resource_exhausted;
    }
    return sdk::Error{.code = code,
                      .message = std::string(what) + " the key file " + file.string() + ": " +
                                 std::error_code(number, std::generic_category()).message()};
}

sdk::Error bad_key(std::string_view why) {
    return sdk::Error{.code = sdk::Errc::invalid_config,
                      .message =
                          "a master key is one line of base64 for 32 bytes (44 characters, "
                          "the last one \"=\"), but this " +
                          std::string(why)};
}

void wipe_text(std::string& text) {
    wipe(std::as_writable_bytes(std::span(text)));
}

}  // namespace

sdk::Result<SecretKey> parse_master_key(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return bad_key("is empty");
    }
    text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
    if (text.size() != kTextSize) {
        return bad_key("has " + std::to_string(text.size()) + " characters");
    }
    if (text.back() != '=') {
        return bad_key("does not end with \"=\"");
    }
    SecretKey key{};
    std::uint32_t bits = 0;
    unsigned count = 0;
    std::size_t at = 0;
    for (const char c : text.substr(0, kTextSize - 1)) {
        const auto value = kBase64Alphabet.find(c);
        if (value == std::string_view::npos) {
            wipe(key);
            return bad_key("has a character that is not base64");
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            key[at++] = static_cast<std::byte>((bits >> count) & 0xFFU);
        }
    }
    if ((bits & 0x3U) != 0) {
        wipe(key);
        return bad_key("has surplus bits in its last character: a typing error?");
    }
    return key;
}

std::string format_master_key(const SecretKey& key) {
    std::string text;
    text.reserve(kTextSize);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const std::byte value : key) {
        bits = (bits << 8U) | std::to_integer<std::uint32_t>(value);
        count += 8;
        while (count >= 6) {
            count -= 6;
            text += kBase64Alphabet[(bits >> count) & 0x3FU];
        }
    }
    text += kBase64Alphabet[(bits << (6 - count)) & 0x3FU];
    text += '=';
    return text;
}

sdk::Result<SecretKey> load_master_key(const std::filesystem::path& file, std::string* warning) {
    const files::FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (opened.get() < 0) {
        return file_error("can't open", file, errno);
    }
    struct stat status{};
    if (::fstat(opened.get(), &status) != 0) {
        return file_error("can't examine", file, errno);
    }
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        return sdk::Error{.code = sdk::Errc::invalid_config,
                          .message = "the key file " + file.string() + " is not a file"};
    }
    std::string text(4096, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(opened.get(), text.data() + size, text.size() - size);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            const int number = errno;
            wipe_text(text);
            return file_error("can't read", file, number);
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    sdk::Result<SecretKey> key = parse_master_key(std::string_view(text).substr(0, size));
    wipe_text(text);
    if (!key) {
        key.error().message = "key file " + file.string() + ": " + key.error().message;
        return key;
    }
    if (warning != nullptr && S_ISREG(status.st_mode) && (status.st_mode & 0077U) != 0) {
        *warning = "the key file " + file.string() +
                   " can be read by other users of this system: chmod 600 it";
    }
    return key;
}

sdk::Result<SecretKey> create_master_key(const std::filesystem::path& file) {
    SecretKey key = random_bytes<std::tuple_size_v<SecretKey>>();
    std::string text = format_master_key(key) + "\n";
    // Written beside and given its name once it is whole: who is killed leaves no half key behind.
    const std::string fresh = file.string() + "." + to_hex(random_bytes<4>()) + ".new";
    const std::filesystem::path folder =
        file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    int number = 0;
    const auto succeeds = [&](bool done) {
        number = done ? 0 : errno;
        return done;
    };
    const files::FileDescriptor created(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    bool made = succeeds(created.get() >= 0) && succeeds(files::write_all(created.get(), text)) &&
                succeeds(::fsync(created.get()) == 0) &&
                succeeds(::link(fresh.c_str(), file.c_str()) == 0);
    wipe_text(text);
    ::unlink(fresh.c_str());
    if (made) {
        const files::FileDescriptor directory(
            ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        made = succeeds(directory.get() >= 0) && succeeds(::fsync(directory.get()) == 0);
        if (!made) {
            ::unlink(file.c_str());
        }
    }
    if (!made) {
        wipe(key);
        return file_error("can't create", file, number);
    }
    return key;
}

std::string key_check_value(const SecretKey& key) {
    // No salt, which RFC 5869 defines to mean as many zeros as the hash is long.
    constexpr std::array<std::byte, 32> kNoSalt{};
    SecretKey derived = derive_key(key, kNoSalt, kKeyCheckPurpose);
    const std::string value = to_hex(std::span(derived).first<8>());
    wipe(derived);
    return value;
}

}  // namespace openarchiver::archive
