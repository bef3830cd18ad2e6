#include <filesystem>
#include <system_error>

#include "profile/profile.hpp"
#include "profile/schema_check.hpp"

namespace openarchiver::profile {

namespace {

namespace fs = std::filesystem;

void check(const PluginConfig& config, const std::string& place, std::vector<Problem>& problems) {
    for (const auto& [pointer, reference] : config.secrets) {
        if (reference.kind == SecretReference::Kind::literal ||
            reference.kind == SecretReference::Kind::sealed) {
            continue;  // all was said about it when it was read
        }
        const auto secret = plugin::resolve(reference);
        if (!secret) {
            problems.push_back({place + pointer, secret.error().message, "", Severity::error});
            continue;
        }
        if (looks_like_secret_id(*secret)) {
            problems.push_back(secret_id_warning(place + pointer));
        }
        std::error_code error;
        if (reference.kind == SecretReference::Kind::file &&
            (fs::status(reference.value, error).permissions() &
             (fs::perms::others_read | fs::perms::others_write)) != fs::perms::none) {
            problems.push_back(
                {place + pointer,
                 "every user of this machine may read the secret file " + reference.value,
                 "chmod 600 " + reference.value, Severity::warning});
        }
    }
}

}  // namespace

std::vector<Problem> check_secrets(const Profile& profile) {
    std::vector<Problem> problems;
    check(profile.archive.storage, "/archive/storage/config", problems);
    for (std::size_t i = 0; i < profile.sources.size(); ++i) {
        check(profile.sources[i], "/sources/" + std::to_string(i) + "/config", problems);
    }
    return problems;
}

}  // namespace openarchiver::profile
