#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "profile/profile.hpp"
#include "profile/schema_check.hpp"

namespace openarchiver::profile {

namespace {

namespace fs = std::filesystem;

/// The secret; nothing where it can't be used, or where all was said about it when it was read.
std::optional<std::string> check(const SecretReference& reference, const std::string& place,
                                 std::vector<Problem>& problems) {
    if (reference.kind == SecretReference::Kind::literal ||
        reference.kind == SecretReference::Kind::sealed) {
        return std::nullopt;
    }
    auto secret = plugin::resolve(reference);
    if (!secret) {
        problems.push_back({place, secret.error().message, "", Severity::error});
        return std::nullopt;
    }
    std::error_code error;
    if (reference.kind == SecretReference::Kind::file &&
        (fs::status(reference.value, error).permissions() &
         (fs::perms::others_read | fs::perms::others_write)) != fs::perms::none) {
        problems.push_back(
            {place, "every user of this machine may read the secret file " + reference.value,
             "chmod 600 " + reference.value, Severity::warning});
    }
    return std::move(*secret);
}

void check(const PluginConfig& config, const std::string& place, std::vector<Problem>& problems) {
    for (const auto& [pointer, reference] : config.secrets) {
        const auto secret = check(reference, place + pointer, problems);
        if (secret && looks_like_secret_id(*secret)) {
            problems.push_back(secret_id_warning(place + pointer));
        }
    }
}

void check(const NotificationTarget& target, const std::string& place,
           std::vector<Problem>& problems) {
    const auto check_one = [&](const std::optional<SecretReference>& reference, const char* key) {
        if (reference) {
            (void)check(*reference, place + key, problems);
        }
    };
    if (target.webhook) {
        check_one(target.webhook->secret, "/webhook/secret");
        check_one(target.webhook->proxy_password, "/webhook/proxy_password");
    } else if (target.smtp) {
        check_one(target.smtp->password, "/smtp/password");
    }
}

}  // namespace

std::vector<Problem> check_secrets(const Profile& profile) {
    std::vector<Problem> problems;
    check(profile.archive.storage, "/archive/storage/config", problems);
    for (std::size_t i = 0; i < profile.sources.size(); ++i) {
        check(profile.sources[i], "/sources/" + std::to_string(i) + "/config", problems);
    }
    const auto& targets = profile.notifications.targets;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        check(targets[i], "/notifications/targets/" + std::to_string(i), problems);
    }
    return problems;
}

}  // namespace openarchiver::profile
