#include "access/secret_sealing.hpp"

#include <algorithm>

#include "archive/random.hpp"
#include "archive/seal.hpp"

namespace openarchiver::access {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::string_view kPurpose = "openarchiver secret 0";
constexpr std::size_t kSalt = sizeof(archive::Salt);
constexpr std::size_t kHead = kSalt + sizeof(archive::Nonce);

/// Salt, nonce, ciphertext, tag.
Result<std::string> seal(const archive::SecretKey& key, std::string_view text) {
    archive::Salt salt{};
    archive::Nonce nonce{};
    archive::fill_random(salt);
    archive::fill_random(nonce);
    std::string sealed(kHead + text.size() + archive::kTagSize, '\0');
    const auto bytes = std::as_writable_bytes(std::span(sealed));
    std::copy(salt.begin(), salt.end(), bytes.begin());
    std::copy(nonce.begin(), nonce.end(), bytes.begin() + kSalt);
    std::copy(text.begin(), text.end(), sealed.begin() + kHead);
    archive::Sealer().seal({key, kPurpose, salt, nonce}, {}, bytes.subspan(kHead, text.size()),
                           bytes.last<archive::kTagSize>());
    return sealed;
}

Result<std::string> open(const archive::SecretKey& key, std::string_view sealed) {
    if (sealed.size() < kHead + archive::kTagSize) {
        return Error{Errc::corrupt, "a kept secret is damaged"};
    }
    std::string copy(sealed);
    const auto bytes = std::as_writable_bytes(std::span(copy));
    archive::Salt salt{};
    archive::Nonce nonce{};
    std::copy_n(bytes.begin(), salt.size(), salt.begin());
    std::copy_n(bytes.begin() + kSalt, nonce.size(), nonce.begin());
    const auto text = bytes.subspan(kHead, copy.size() - kHead - archive::kTagSize);
    if (!archive::Sealer().open({key, kPurpose, salt, nonce}, {}, text,
                                bytes.last<archive::kTagSize>())) {
        return Error{Errc::corrupt, "a kept secret does not open with the archive's key"};
    }
    return copy.substr(kHead, text.size());
}

}  // namespace

plugin::Sealing secret_sealing(const std::optional<archive::SecretKey>& archive_key) {
    if (!archive_key) {
        return plugin::no_sealing();
    }
    return {[key = *archive_key](std::string_view text) { return seal(key, text); },
            [key = *archive_key](std::string_view sealed) { return open(key, sealed); }};
}

}  // namespace openarchiver::access
