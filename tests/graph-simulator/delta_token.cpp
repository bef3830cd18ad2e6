#include "delta_token.hpp"

#include <cstring>
#include <type_traits>

#include "bytes.hpp"

namespace graph_simulator {
namespace {

constexpr std::size_t kMacSize = 12;
constexpr std::string_view kPrefix = "Gwc";
static_assert(std::has_unique_object_representations_v<DeltaToken>, "copied as bytes");

}  // namespace

std::string DeltaTokens::write(DeltaToken token) {
    token.serial = ++serial_;
    std::string bytes(sizeof(DeltaToken), '\0');
    std::memcpy(bytes.data(), &token, sizeof(DeltaToken));
    bytes += hmac_sha256(key_, bytes).substr(0, kMacSize);
    return std::string(kPrefix) + base64url_encode(bytes);
}

std::optional<DeltaToken> DeltaTokens::read(std::string_view text) const {
    if (!text.starts_with(kPrefix))
        return std::nullopt;
    const auto bytes = base64url_decode(text.substr(kPrefix.size()));
    if (!bytes || bytes->size() != sizeof(DeltaToken) + kMacSize)
        return std::nullopt;
    const std::string_view state = std::string_view(*bytes).substr(0, sizeof(DeltaToken));
    if (hmac_sha256(key_, state).substr(0, kMacSize) != bytes->substr(sizeof(DeltaToken))) {
        return std::nullopt;
    }
    DeltaToken token;
    std::memcpy(static_cast<void*>(&token), state.data(), sizeof(DeltaToken));
    return token;
}

}  // namespace graph_simulator
