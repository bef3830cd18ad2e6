#include "credentials.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace openarchiver::s3 {

namespace {

using sdk::Errc;
using sdk::Error;

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r";
    const std::size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// What goes into a request's header may not end it.
bool is_printable(std::string_view text) {
    for (const char c : text) {
        if (c <= ' ' || c > '~') {
            return false;
        }
    }
    return true;
}

bool are_usable(const Credentials& credentials) {
    return !credentials.access_key_id.empty() && !credentials.secret_access_key.empty() &&
           is_printable(credentials.access_key_id) && is_printable(credentials.session_token);
}

}  // namespace

sdk::Result<Credentials> parse_credentials(std::string_view text, std::string_view profile) {
    Credentials credentials;
    bool within = false;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.starts_with('[') && line.ends_with(']')) {
            within = trim(line.substr(1, line.size() - 2)) == profile;
            continue;
        }
        const std::size_t equals = line.find('=');
        if (!within || equals == std::string_view::npos || line.starts_with('#') ||
            line.starts_with(';')) {
            continue;
        }
        const std::string_view name = trim(line.substr(0, equals));
        const std::string_view value = trim(line.substr(equals + 1));
        if (name == "aws_access_key_id") {
            credentials.access_key_id = value;
        } else if (name == "aws_secret_access_key") {
            credentials.secret_access_key = value;
        } else if (name == "aws_session_token") {
            credentials.session_token = value;
        }
    }
    if (!are_usable(credentials)) {
        return Error{Errc::not_found, "has no profile [" + std::string(profile) +
                                          "] with aws_access_key_id and aws_secret_access_key"};
    }
    return credentials;
}

std::string CredentialSource::place() const {
    return file_.empty() ? "access_key_id and secret_access_key"
                         : "the profile [" + profile_ + "] in " + file_.string();
}

sdk::Result<Credentials> CredentialSource::read() const {
    if (!file_.empty()) {
        std::ifstream stream(file_, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(stream), {}};
        if (!stream.is_open() || stream.bad()) {
            return Error{Errc::invalid_config, "can't read the credentials_file " + file_.string() +
                                                   ": " + std::system_category().message(errno)};
        }
        auto credentials = parse_credentials(text, profile_);
        if (!credentials) {
            return Error{Errc::invalid_config, "the credentials_file " + file_.string() + " " +
                                                   credentials.error().message};
        }
        return credentials;
    }
    Credentials credentials;
    OPENARCHIVER_TRY(credentials.access_key_id, secrets_.get("/access_key_id"));
    OPENARCHIVER_TRY(credentials.secret_access_key, secrets_.get("/secret_access_key"));
    if (auto token = secrets_.get("/session_token")) {
        credentials.session_token = std::move(*token);
    } else if (token.error().code != Errc::not_found) {
        return std::move(token.error());
    }
    if (!are_usable(credentials)) {
        return Error{Errc::invalid_config,
                     "access_key_id, secret_access_key or session_token is empty or has a "
                     "character that no such key has"};
    }
    return credentials;
}

sdk::Result<Credentials> CredentialSource::get() {
    auto credentials = read();
    const std::lock_guard lock(mutex_);
    if (credentials) {
        last_ = *credentials;
    } else if (last_) {
        return *last_;
    }
    return credentials;
}

}  // namespace openarchiver::s3
