#include "api/access_control.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "files/shared_file.hpp"

namespace openarchiver::api {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::string_view kRoles[] = {"administrator", "operator", "auditor", "account_holder"};
constexpr std::string_view kPrefix = "oa_";

struct Entry {
    Credential credential;
    archive::Digest digest{};
};

Error unreadable(const std::filesystem::path& file, const std::string& why) {
    return {Errc::corrupt, "the file of the API's credentials, " + file.string() + ", " + why +
                               "; restore it, or remove it and add the credentials again"};
}

Error failed(const std::filesystem::path& file, const char* doing) {
    const int code = errno;
    return {
        code == ENOSPC ? Errc::resource_exhausted : Errc::permission_denied,
        std::string(doing) + " " + file.string() + ": " + std::generic_category().message(code)};
}

Result<Entry> entry_of(const json::value& value) {
    Entry entry;
    const auto* object = value.if_object();
    const auto text = [&](std::string_view name) {
        const auto* member = object->if_contains(name);
        return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                        : std::string();
    };
    if (object == nullptr) {
        return Error{Errc::corrupt};
    }
    const auto role = role_from(text("role"));
    OPENARCHIVER_TRY(entry.digest, archive::digest_from_hex(text("sha256")));
    entry.credential.name = text("name");
    if (!role || entry.credential.name.empty()) {
        return Error{Errc::corrupt};
    }
    entry.credential.role = *role;
    if (const auto* accounts = object->if_contains("accounts");
        accounts != nullptr && accounts->is_array()) {
        for (const json::value& account : accounts->get_array()) {
            entry.credential.accounts.emplace_back(account.as_string());
        }
    }
    if (const auto* at = object->if_contains("created_at"); at != nullptr && at->is_int64()) {
        entry.credential.created_at = sdk::Timestamp(std::chrono::milliseconds(at->get_int64()));
    }
    return entry;
}

/// No file: no credentials.
Result<std::vector<Entry>> read(const std::filesystem::path& file) {
    std::vector<Entry> entries;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        std::error_code code;
        return std::filesystem::exists(file, code)
                   ? Result<std::vector<Entry>>(failed(file, "reading"))
                   : entries;
    }
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    boost::system::error_code broken;
    const json::value document = json::parse(text, broken);
    if (broken || !document.is_array()) {
        return unreadable(file, "is not what the engine wrote");
    }
    for (const json::value& value : document.get_array()) {
        auto entry = entry_of(value);
        if (!entry) {
            return unreadable(file, "has an entry that is not what the engine wrote");
        }
        entries.push_back(std::move(*entry));
    }
    return entries;
}

Status write(const std::filesystem::path& file, const std::vector<Entry>& entries) {
    json::array document;
    for (const auto& [credential, digest] : entries) {
        document.push_back(
            {{"name", credential.name},
             {"role", to_string(credential.role)},
             {"accounts", json::array(credential.accounts.begin(), credential.accounts.end())},
             {"sha256", archive::to_hex(digest)},
             {"created_at", credential.created_at.time_since_epoch().count()}});
    }
    return files::replace_file(file, json::serialize(document) + "\n");
}

/// Changes of several processes come one after another.
template <typename Change>
Status change(const std::filesystem::path& file, Change&& apply) {
    const auto lock_file = std::filesystem::path(file) += ".lock";
    const files::FileLock lock(lock_file);
    if (!lock.held()) {
        return failed(lock_file, "locking");
    }
    OPENARCHIVER_TRY(auto entries, read(file));
    OPENARCHIVER_CHECK(apply(entries));
    return write(file, entries);
}

}  // namespace

std::string_view to_string(Role role) {
    return kRoles[static_cast<std::size_t>(role)];
}

std::optional<Role> role_from(std::string_view name) {
    const auto* const found = std::ranges::find(kRoles, name);
    return found == std::end(kRoles) ? std::nullopt
                                     : std::optional(static_cast<Role>(found - std::begin(kRoles)));
}

bool may(Role role, Right right) {
    switch (right) {
        case Right::sign_in:
            return true;
        case Right::observe:
            return role != Role::account_holder;
        case Right::operate:
            return role == Role::administrator || role == Role::operator_;
        case Right::administer:
            return role == Role::administrator;
        case Right::read_mail:
            return role == Role::auditor || role == Role::account_holder;
        case Right::hold:
            return role == Role::auditor;
        case Right::approve:
        case Right::audit:
            return role == Role::administrator || role == Role::auditor;
    }
    return false;
}

std::vector<std::string_view> rights_of(Role role) {
    std::vector<std::string_view> rights;
    for (const auto& [right, name] :
         {std::pair(Right::observe, "observe"), std::pair(Right::operate, "operate"),
          std::pair(Right::administer, "administer"), std::pair(Right::read_mail, "read_mail"),
          std::pair(Right::hold, "hold"), std::pair(Right::approve, "approve"),
          std::pair(Right::audit, "audit")}) {
        if (may(role, right)) {
            rights.emplace_back(name);
        }
    }
    return rights;
}

std::string new_secret() {
    return std::string(kPrefix) + archive::to_hex(archive::random_bytes<32>());
}

bool same_secret(std::string_view a, std::string_view b) {
    const auto left = archive::sha256(a);
    const auto right = archive::sha256(b);
    return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

Credentials::Credentials(const std::filesystem::path& catalog_folder)
    : file_(catalog_folder / "access.json") {}

Result<std::vector<Credential>> Credentials::list() const {
    OPENARCHIVER_TRY(auto entries, read(file_));
    std::vector<Credential> credentials;
    for (auto& entry : entries) {
        credentials.push_back(std::move(entry.credential));
    }
    return credentials;
}

Result<std::string> Credentials::add(const Credential& credential) {
    constexpr std::size_t kLongestName = 100;
    if (credential.name.empty() || credential.name.size() > kLongestName ||
        std::ranges::any_of(credential.name,
                            [](char c) { return static_cast<unsigned char>(c) < 32; })) {
        return Error{Errc::invalid_argument, "a credential needs a name of 1 to 100 characters"};
    }
    // As the log says that two persons did something.
    if (credential.name.find(", approved by ") != std::string::npos) {
        return Error{Errc::invalid_argument, "a credential's name has no \", approved by \" in it"};
    }
    if ((credential.role == Role::account_holder) == credential.accounts.empty()) {
        return Error{Errc::invalid_argument,
                     "accounts are given with the role account_holder, and only with it"};
    }
    const std::string secret = new_secret();
    OPENARCHIVER_CHECK(change(file_, [&](std::vector<Entry>& entries) -> Status {
        for (const Entry& entry : entries) {
            if (entry.credential.name == credential.name) {
                return Error{Errc::invalid_argument,
                             "there is a credential \"" + credential.name + "\" already"};
            }
        }
        entries.push_back({credential, archive::sha256(secret)});
        return {};
    }));
    return secret;
}

Status Credentials::remove(std::string_view name) {
    return change(file_, [&](std::vector<Entry>& entries) -> Status {
        if (std::erase_if(entries, [&](const Entry& e) { return e.credential.name == name; }) ==
            0) {
            return Error{Errc::invalid_argument, "there is no credential \"" + std::string(name) +
                                                     "\"; `openarchiver credential list` lists "
                                                     "them"};
        }
        return {};
    });
}

Result<std::optional<Credential>> Credentials::find(std::string_view secret) const {
    OPENARCHIVER_TRY(const auto entries, read(file_));
    const auto digest = archive::sha256(secret);
    std::optional<Credential> found;
    for (const Entry& entry : entries) {
        if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0) {
            found = entry.credential;
        }
    }
    return found;
}

}  // namespace openarchiver::api
