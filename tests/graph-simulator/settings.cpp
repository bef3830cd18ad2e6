#include "settings.hpp"

#include <array>
#include <stdexcept>

namespace graph_simulator {
namespace {

struct Number {
    std::string_view name;
    std::int64_t Settings::* member;
    std::int64_t least;
};

struct Flag {
    std::string_view name;
    bool Settings::* member;
};

constexpr auto kNumbers = std::to_array<Number>({
    {"latency_ms", &Settings::latency_ms, 0},
    {"latency_jitter_ms", &Settings::latency_jitter_ms, 0},
    {"max_concurrent", &Settings::max_concurrent, 1},
    {"app_max_concurrent", &Settings::app_max_concurrent, 0},
    {"window_requests", &Settings::window_requests, 1},
    {"window_ms", &Settings::window_ms, 1},
    {"retry_after_min", &Settings::retry_after_min, 0},
    {"retry_after_max", &Settings::retry_after_max, 0},
    {"token_lifetime", &Settings::token_lifetime, 0},
    {"token_error", &Settings::token_error, 0},
    {"page_size_max", &Settings::page_size_max, 1},
    {"page_size_fixed", &Settings::page_size_fixed, 0},
    {"users_delta_page", &Settings::users_delta_page, 1},
    {"replay", &Settings::replay, 0},
    {"delay_changes_ms", &Settings::delay_changes_ms, 0},
    {"chunk_size", &Settings::chunk_size, 1},
    {"notification_delay_ms", &Settings::notification_delay_ms, 0},
    {"subscription_life_ms", &Settings::subscription_life_ms, 0},
});
constexpr auto kFlags = std::to_array<Flag>({
    {"limits", &Settings::limits},
    {"empty_pages", &Settings::empty_pages},
    {"immutable_loss", &Settings::immutable_loss},
    {"partial_flips", &Settings::partial_flips},
    {"exchange_grants", &Settings::exchange_grants},
    {"users_delta_partial", &Settings::users_delta_partial},
    {"delta_supported", &Settings::delta_supported},
    {"preference_applied", &Settings::preference_applied},
    {"batch_value_raw", &Settings::batch_value_raw},
    {"subscription_http", &Settings::subscription_http},
    {"notifications_lost", &Settings::notifications_lost},
    {"notifications_doubled", &Settings::notifications_doubled},
    {"notifications_reordered", &Settings::notifications_reordered},
});

[[noreturn]] void refuse(std::string_view name) {
    throw std::invalid_argument("setting '" + std::string(name) +
                                "' is unknown or has a bad value");
}

bool apply_number(Settings& settings, std::string_view name, const json::value& value) {
    for (const Number& number : kNumbers) {
        if (number.name != name)
            continue;
        if (!value.is_int64() || value.as_int64() < number.least)
            refuse(name);
        settings.*number.member = value.as_int64();
        return true;
    }
    return false;
}

bool apply_flag(Settings& settings, std::string_view name, const json::value& value) {
    for (const Flag& flag : kFlags) {
        if (flag.name != name)
            continue;
        if (!value.is_bool())
            refuse(name);
        settings.*flag.member = value.as_bool();
        return true;
    }
    return false;
}

// A number of seconds, or null for no header at all.
void apply_retry_after(Settings& settings, const json::value& value) {
    settings.retry_after_header = !value.is_null();
    if (value.is_null())
        return;
    if (!value.is_int64() || value.as_int64() < 0)
        refuse("retry_after");
    settings.retry_after_min = settings.retry_after_max = value.as_int64();
}

void apply_roles(Settings& settings, const json::value& value) {
    if (!value.is_array())
        refuse("roles");
    settings.roles.clear();
    for (const json::value& role : value.as_array()) {
        if (!role.is_string())
            refuse("roles");
        settings.roles.push_back(str(role.as_string()));
    }
}

}  // namespace

void Settings::apply(const json::object& changes) {
    Settings next = *this;  // all or nothing
    for (const auto& [key, value] : changes) {
        const std::string name = str(key);
        if (name == "retry_after")
            apply_retry_after(next, value);
        else if (name == "roles")
            apply_roles(next, value);
        else if (!apply_number(next, name, value) && !apply_flag(next, name, value))
            refuse(name);
    }
    *this = std::move(next);
}

json::object Settings::to_json() const {
    json::object out;
    for (const Number& number : kNumbers) out[view(number.name)] = this->*number.member;
    for (const Flag& flag : kFlags) out[view(flag.name)] = this->*flag.member;
    out["retry_after_header"] = retry_after_header;
    json::array names;
    for (const std::string& role : roles) names.emplace_back(view(role));
    out["roles"] = std::move(names);
    return out;
}

}  // namespace graph_simulator
