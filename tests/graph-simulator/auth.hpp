// Access tokens: issued, remembered and checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace graph_simulator {

struct AccessToken {
    std::vector<std::string> roles;
    std::int64_t expires = 0;  // seconds
    bool has(std::string_view role) const;
    bool has_any(std::initializer_list<std::string_view> names) const;
};

struct TokenIdentity {
    std::string tenant;
    std::string client_id;
    bool certificate = false;
};

class AccessTokens {
public:
    std::string issue(const TokenIdentity& identity, const std::vector<std::string>& roles,
                      std::int64_t lifetime);
    // Nothing when unknown; an expired token is still returned.
    const AccessToken* find(std::string_view token) const;
    void expire_all();

private:
    struct Hash {
        using is_transparent = void;

        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    std::unordered_map<std::string, AccessToken, Hash, std::equal_to<>> tokens_;
};

}  // namespace graph_simulator
