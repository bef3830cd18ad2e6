#include "service/person.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace openarchiver::service {

namespace {

std::string_view name_of(std::string_view by) {
    constexpr std::string_view kCredential = "api:";
    return by.starts_with(kCredential) ? by.substr(kCredential.size())
                                       : by.substr(0, by.rfind('@'));
}

}  // namespace

Person system_user(uid_t user) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    std::string name = std::to_string(user);
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        name = found->pw_name;
    }
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0) {
        name += std::string("@") + host.data();
    }
    return {.by = std::move(name)};
}

bool may_be_one(std::string_view by, std::string_view other_by) {
    return name_of(by) == name_of(other_by);
}

}  // namespace openarchiver::service
