#include "messages.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "failure.hpp"

namespace openarchiver::subprocess {

namespace {

namespace json = boost::json;
using sdk::Errc;

constexpr std::size_t kMaxMessage = 1000;
constexpr double kLongestWait = 86'400;

/// What a program may answer; the others are the engine's own.
constexpr std::array kCodes = {
    Errc::invalid_config,     Errc::unauthenticated, Errc::permission_denied, Errc::not_found,
    Errc::cursor_expired,     Errc::rate_limited,    Errc::unavailable,       Errc::timed_out,
    Errc::resource_exhausted, Errc::corrupt,         Errc::unsupported,       Errc::internal,
};

sdk::Error wrong(std::string_view where, std::string_view what) {
    return failure(Errc::internal, std::string(where) + " " + std::string(what));
}

std::optional<Errc> code_named(std::string_view name) {
    const auto* const found =
        std::ranges::find_if(kCodes, [name](Errc code) { return sdk::to_string(code) == name; });
    return found == kCodes.end() ? std::nullopt : std::optional(*found);
}

/// A JSON object and where it stands in the answer, for messages.
class Members {
public:
    static sdk::Result<Members> of(const json::value& value, std::string where) {
        const json::object* const object = value.if_object();
        if (object == nullptr) {
            return wrong(where, "is no object");
        }
        return Members(*object, std::move(where));
    }

    Members(const json::object& object, std::string where)
        : object_(object), where_(std::move(where)) {}

    /// Nothing: absent or null.
    [[nodiscard]] const json::value* find(std::string_view name) const {
        const json::value* const value = object_.if_contains(name);
        return value == nullptr || value->is_null() ? nullptr : value;
    }

    [[nodiscard]] std::string place(std::string_view name) const {
        return where_ + (where_.empty() ? "" : ".") + std::string(name);
    }

    sdk::Status text(std::string_view name, std::string& into) const {
        if (const json::value* const value = find(name)) {
            if (!value->is_string()) {
                return wrong(place(name), "is no text");
            }
            into = value->get_string();
        }
        return {};
    }

    sdk::Status id(std::string_view name, std::string& into) const {
        OPENARCHIVER_CHECK(text(name, into));
        return into.empty() ? sdk::Status(wrong(place(name), "is missing")) : sdk::Status();
    }

    sdk::Result<std::optional<std::string>> optional_text(std::string_view name) const {
        if (find(name) == nullptr) {
            return std::optional<std::string>();
        }
        std::string found;
        OPENARCHIVER_CHECK(text(name, found));
        return std::optional(std::move(found));
    }

    sdk::Status flag(std::string_view name, bool& into) const {
        if (const json::value* const value = find(name)) {
            if (!value->is_bool()) {
                return wrong(place(name), "is neither true nor false");
            }
            into = value->get_bool();
        }
        return {};
    }

    sdk::Status count(std::string_view name, std::optional<std::uint64_t>& into) const {
        if (const json::value* const value = find(name)) {
            json::error_code error;
            into = value->to_number<std::uint64_t>(error);
            if (error) {
                return wrong(place(name), "is no whole number");
            }
        }
        return {};
    }

    sdk::Status time(std::string_view name, std::optional<sdk::Timestamp>& into) const {
        std::string written;
        OPENARCHIVER_CHECK(text(name, written));
        if (!written.empty()) {
            into = parse_time(written);
            if (!into) {
                return wrong(place(name), "is no time as 2026-11-26T08:00:00Z");
            }
        }
        return {};
    }

    struct Element {
        const json::value& value;
        std::string where;
    };

    /// An absent list has no elements.
    sdk::Result<std::vector<Element>> list(std::string_view name) const {
        std::vector<Element> elements;
        const json::value* const value = find(name);
        if (value == nullptr) {
            return elements;
        }
        if (!value->is_array()) {
            return wrong(place(name), "is no list");
        }
        for (const json::value& element : value->get_array()) {
            elements.push_back(
                {element, place(name) + "[" + std::to_string(elements.size()) + "]"});
        }
        return elements;
    }

private:
    const json::object& object_;
    std::string where_;
};

constexpr std::array<std::pair<std::string_view, sdk::AccountState>, 5> kStates = {{
    {"available", sdk::AccountState::available},
    {"without_mailbox", sdk::AccountState::without_mailbox},
    {"excluded", sdk::AccountState::excluded},
    {"closed_by_policy", sdk::AccountState::closed_by_policy},
    {"deleted_upstream", sdk::AccountState::deleted_upstream},
}};

sdk::Status take_state(const Members& members, sdk::AccountState& state) {
    std::string name;
    OPENARCHIVER_CHECK(members.text("state", name));
    if (!name.empty()) {
        const auto* const found =
            std::ranges::find_if(kStates, [&](const auto& entry) { return entry.first == name; });
        if (found == kStates.end()) {
            return wrong(members.place("state"), "is none of the states");
        }
        state = found->second;
    }
    return {};
}

sdk::Status take_properties(const Members& item, std::vector<sdk::Property>& properties) {
    const json::value* const given = item.find("properties");
    if (given == nullptr) {
        return {};
    }
    if (!given->is_object()) {
        return wrong(item.place("properties"), "is no object");
    }
    for (const auto& [key, value] : given->get_object()) {
        sdk::Property property{.name = std::string(key)};
        const std::string where = item.place("properties") + "." + property.name;
        switch (value.kind()) {
            case json::kind::string:
                property.value = std::string(value.get_string());
                break;
            case json::kind::int64:
                property.value = value.get_int64();
                break;
            case json::kind::double_:
                property.value = value.get_double();
                break;
            case json::kind::bool_:
                property.value = value.get_bool();
                break;
            case json::kind::object: {
                std::optional<sdk::Timestamp> time;
                OPENARCHIVER_CHECK(Members(value.get_object(), where).time("time", time));
                if (!time) {
                    return wrong(where, R"(has no "time")");
                }
                property.value = *time;
                break;
            }
            case json::kind::null:
                continue;
            default:
                return wrong(where, "is no text, number, flag or time");
        }
        properties.push_back(std::move(property));
    }
    return {};
}

sdk::Result<sdk::Item> parse_item(const json::value& value, const std::string& where) {
    OPENARCHIVER_TRY(const Members members, Members::of(value, where));
    sdk::Item item;
    OPENARCHIVER_CHECK(members.id("id", item.id));
    OPENARCHIVER_CHECK(members.text("content_tag", item.content_tag));
    OPENARCHIVER_CHECK(members.text("media_type", item.media_type));
    OPENARCHIVER_CHECK(members.time("received_at", item.received_at));
    OPENARCHIVER_CHECK(members.count("size_hint", item.size_hint));
    OPENARCHIVER_CHECK(members.text("title", item.title));
    OPENARCHIVER_CHECK(take_properties(members, item.properties));
    return item;
}

}  // namespace

sdk::Status parse_error(const json::value& value, sdk::Error& into) {
    OPENARCHIVER_TRY(const Members members, Members::of(value, "error"));
    std::string code;
    sdk::Error error;
    OPENARCHIVER_CHECK(members.id("code", code));
    OPENARCHIVER_CHECK(members.id("message", error.message));
    OPENARCHIVER_CHECK(members.text("service_code", error.service_code));
    OPENARCHIVER_CHECK(members.text("request_id", error.request_id));
    const auto known = code_named(code);
    if (!known) {
        return wrong("error.code", "is none of the codes");
    }
    error.code = *known;
    for (std::string* const text : {&error.message, &error.service_code, &error.request_id}) {
        if (text->size() > kMaxMessage) {
            std::size_t end = kMaxMessage;
            while ((static_cast<unsigned char>((*text)[end]) & 0xC0U) == 0x80U) {
                --end;  // not within a character
            }
            text->resize(end);
        }
        std::ranges::replace_if(
            *text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    }
    if (const json::value* const wait = members.find("retry_after")) {
        json::error_code failed;
        const auto seconds = wait->to_number<double>(failed);
        if (failed || !(seconds >= 0)) {
            return wrong("error.retry_after", "is no number of seconds");
        }
        error.retry_after = std::chrono::milliseconds(
            static_cast<std::int64_t>(std::min(seconds, kLongestWait) * 1000));
    }
    into = std::move(error);
    return {};
}

sdk::Result<AccountPage> parse_accounts(const json::object& result) {
    AccountPage page;
    const Members members(result, "");
    OPENARCHIVER_TRY(const auto accounts, members.list("accounts"));
    for (const auto& [value, where] : accounts) {
        OPENARCHIVER_TRY(const Members one, Members::of(value, where));
        sdk::Account& account = page.accounts.emplace_back();
        OPENARCHIVER_CHECK(one.id("id", account.id));
        OPENARCHIVER_CHECK(one.text("address", account.address));
        OPENARCHIVER_CHECK(one.text("display_name", account.display_name));
        OPENARCHIVER_CHECK(one.text("reason", account.reason));
        OPENARCHIVER_CHECK(take_state(one, account.state));
        account.address = account.address.empty() ? account.id : account.address;
    }
    OPENARCHIVER_TRY(page.more, members.optional_text("more"));
    return page;
}

sdk::Result<FolderPage> parse_folders(const json::object& result) {
    FolderPage page;
    const Members members(result, "");
    OPENARCHIVER_TRY(const auto folders, members.list("folders"));
    for (const auto& [value, where] : folders) {
        OPENARCHIVER_TRY(const Members one, Members::of(value, where));
        sdk::Folder& folder = page.folders.emplace_back();
        OPENARCHIVER_CHECK(one.id("id", folder.id));
        OPENARCHIVER_CHECK(one.text("parent_id", folder.parent_id));
        OPENARCHIVER_CHECK(one.text("display_name", folder.display_name));
        OPENARCHIVER_CHECK(one.text("well_known_name", folder.well_known_name));
        OPENARCHIVER_CHECK(one.flag("hidden", folder.hidden));
        OPENARCHIVER_CHECK(one.flag("archived", folder.archived));
        OPENARCHIVER_CHECK(one.count("item_count", folder.item_count));
        folder.display_name = folder.display_name.empty() ? folder.id : folder.display_name;
    }
    OPENARCHIVER_CHECK(take_state(members, page.state));
    OPENARCHIVER_CHECK(members.text("reason", page.reason));
    OPENARCHIVER_TRY(page.more, members.optional_text("more"));
    return page;
}

sdk::Result<ItemPage> parse_items(const json::object& result) {
    ItemPage page;
    const Members members(result, "");
    OPENARCHIVER_TRY(const auto items, members.list("items"));
    for (const auto& [value, where] : items) {
        OPENARCHIVER_TRY(sdk::Item item, parse_item(value, where));
        page.items.push_back(std::move(item));
    }
    OPENARCHIVER_TRY(const auto left, members.list("left"));
    for (const auto& [value, where] : left) {
        if (!value.is_string() || value.get_string().empty()) {
            return wrong(where, "is no id");
        }
        page.left.emplace_back(value.get_string());
    }
    OPENARCHIVER_TRY(const auto failed, members.list("failed"));
    for (const auto& [value, where] : failed) {
        OPENARCHIVER_TRY(const Members one, Members::of(value, where));
        auto& [id, error] = page.failed.emplace_back();
        OPENARCHIVER_CHECK(one.id("id", id));
        const json::value* const given = one.find("error");
        if (given == nullptr) {
            return wrong(where, "has no error");
        }
        OPENARCHIVER_CHECK(parse_error(*given, error));
    }
    OPENARCHIVER_TRY(page.cursor, members.optional_text("cursor"));
    OPENARCHIVER_TRY(page.more, members.optional_text("more"));
    return page;
}

sdk::Result<std::vector<sdk::Check>> parse_checks(const json::object& result) {
    std::vector<sdk::Check> checks;
    OPENARCHIVER_TRY(const auto given, Members(result, "").list("checks"));
    for (const auto& [value, where] : given) {
        OPENARCHIVER_TRY(const Members one, Members::of(value, where));
        sdk::Check& check = checks.emplace_back();
        std::string outcome;
        std::string code;
        OPENARCHIVER_CHECK(one.id("name", check.name));
        OPENARCHIVER_CHECK(one.id("outcome", outcome));
        OPENARCHIVER_CHECK(one.text("detail", check.detail));
        OPENARCHIVER_CHECK(one.text("remedy", check.remedy));
        OPENARCHIVER_CHECK(one.text("code", code));
        if (outcome != "pass" && outcome != "fail" && outcome != "unknown") {
            return wrong(one.place("outcome"), "is not pass, fail or unknown");
        }
        check.outcome = outcome == "pass"   ? sdk::CheckOutcome::pass
                        : outcome == "fail" ? sdk::CheckOutcome::fail
                                            : sdk::CheckOutcome::unknown;
        const auto known = code.empty() ? Errc::internal : code_named(code);
        if (!known) {
            return wrong(one.place("code"), "is none of the codes");
        }
        check.code = *known;
    }
    return checks;
}

std::optional<sdk::Timestamp> parse_time(std::string_view text) {
    // 2026-11-26T08:00:00[.123](Z|+01:00)
    const auto digits = [&](std::size_t at, std::size_t count) {
        int number = 0;
        for (std::size_t i = at; i < at + count; ++i) {
            if (i >= text.size() || text[i] < '0' || text[i] > '9') {
                return -1;
            }
            number = number * 10 + (text[i] - '0');
        }
        return number;
    };
    constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
    if (text.size() <= kShape.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < kShape.size(); ++i) {
        if (kShape[i] != 'd' && text[i] != kShape[i]) {
            return std::nullopt;
        }
    }
    const int year = digits(0, 4);
    const int month = digits(5, 2);
    const int day = digits(8, 2);
    const int hour = digits(11, 2);
    const int minute = digits(14, 2);
    const int second = digits(17, 2);
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (std::min({year, month, day, hour, minute, second}) < 0 || !date.ok() || hour > 23 ||
        minute > 59 || second > 60) {
        return std::nullopt;
    }
    std::size_t at = kShape.size();
    int fraction = 0;
    if (text[at] == '.') {
        int scale = 100;
        const std::size_t first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
            fraction += (text[at] - '0') * scale;
        }
        if (at == first) {
            return std::nullopt;
        }
    }
    std::chrono::minutes offset{0};
    const std::string_view zone = text.substr(at);
    if (zone != "Z") {
        const int hours = digits(at + 1, 2);
        const int minutes = digits(at + 4, 2);
        if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || hours < 0 ||
            hours > 23 || minutes < 0 || minutes > 59) {
            return std::nullopt;
        }
        offset = std::chrono::minutes((zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes));
    }
    return sdk::Timestamp(std::chrono::sys_days(date).time_since_epoch() +
                          std::chrono::hours(hour) + std::chrono::minutes(minute) +
                          std::chrono::seconds(second) + std::chrono::milliseconds(fraction) -
                          offset);
}

}  // namespace openarchiver::subprocess
