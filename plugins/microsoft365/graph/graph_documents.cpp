#include "graph/graph_documents.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "failure.hpp"
#include "http/response_head.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view without_mark(std::string_view text) {
    return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

json::value parse_document(std::string_view text, json::error_code& error,
                           json::storage_ptr memory = {}) {
    text = without_mark(text);
    json::value document = json::parse(text, error, memory);
    if (error) {
        // Texts that senders choose may hold control characters that nobody escaped.
        std::string plain(text);
        std::ranges::replace_if(plain, [](unsigned char c) { return c < ' '; }, ' ');
        document = json::parse(plain, error, memory);
    }
    return document;
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::optional<std::string> optional_text(const json::object& object, std::string_view name) {
    std::string text = text_of(object, name);
    return text.empty() ? std::nullopt : std::optional(std::move(text));
}

std::optional<std::uint64_t> optional_count(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->is_int64() && value->get_int64() >= 0) {
        return static_cast<std::uint64_t>(value->get_int64());
    }
    return value->is_uint64() ? std::optional(value->get_uint64()) : std::nullopt;
}

/// Booleans come as text in places.
std::optional<bool> optional_bool(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->is_bool()) {
        return value->get_bool();
    }
    if (value->is_string()) {
        const auto& text = value->get_string();
        return text == "true" || text == "True";
    }
    return std::nullopt;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

UserEntry user_of(const json::object& object) {
    UserEntry user;
    user.id = text_of(object, "id");
    user.user_principal_name = text_of(object, "userPrincipalName");
    user.mail = text_of(object, "mail");
    user.display_name = text_of(object, "displayName");
    user.guest = equal_ignoring_case(text_of(object, "userType"), "Guest");
    if (const json::value* plans = object.if_contains("assignedPlans");
        plans != nullptr && plans->is_array()) {
        for (const json::value& plan : plans->get_array()) {
            if (plan.is_object() &&
                equal_ignoring_case(text_of(plan.get_object(), "service"), "exchange") &&
                !equal_ignoring_case(text_of(plan.get_object(), "capabilityStatus"), "Deleted")) {
                user.has_exchange_plan = true;
            }
        }
    }
    if (const json::value* proxies = object.if_contains("proxyAddresses");
        proxies != nullptr && proxies->is_array()) {
        for (const json::value& proxy : proxies->get_array()) {
            if (!proxy.is_string()) {
                continue;
            }
            const std::string_view text = proxy.get_string();
            if (equal_ignoring_case(text.substr(0, 5), "smtp:")) {
                user.addresses.emplace_back(text.substr(5));
            }
        }
    }
    if (const json::value* removed = object.if_contains("@removed"); removed != nullptr) {
        const bool restorable =
            removed->is_object() && text_of(removed->get_object(), "reason") == "changed";
        user.removal = restorable ? Removal::restorable : Removal::for_good;
    }
    return user;
}

FolderEntry folder_of(const json::object& object) {
    FolderEntry folder;
    folder.id = text_of(object, "id");
    folder.parent_id = text_of(object, "parentFolderId");
    folder.display_name = text_of(object, "displayName");
    folder.child_count = optional_count(object, "childFolderCount").value_or(0);
    folder.item_count = optional_count(object, "totalItemCount");
    folder.unread_count = optional_count(object, "unreadItemCount");
    folder.hidden = optional_bool(object, "isHidden").value_or(false);
    folder.search = text_of(object, "@odata.type").ends_with("mailSearchFolder");
    folder.removed = object.contains("@removed");
    return folder;
}

MessageEntry message_of(const json::object& object) {
    MessageEntry message;
    message.id = text_of(object, "id");
    message.internet_message_id = optional_text(object, "internetMessageId");
    message.received_at = parse_timestamp(text_of(object, "receivedDateTime"));
    message.created_at = parse_timestamp(text_of(object, "createdDateTime"));
    message.draft = optional_bool(object, "isDraft");
    message.etag = text_of(object, "@odata.etag");
    message.removed = object.contains("@removed");
    return message;
}

/// Of PidTagMessageSize, the one extended property that was asked for; its value is text.
SizeEntry size_of(const json::object& object) {
    SizeEntry entry;
    entry.id = text_of(object, "id");
    const json::value* properties = object.if_contains("singleValueExtendedProperties");
    if (properties != nullptr && properties->is_array() && !properties->get_array().empty() &&
        properties->get_array().front().is_object()) {
        const std::string text = text_of(properties->get_array().front().get_object(), "value");
        std::uint64_t size = 0;
        if (!text.empty() &&
            std::from_chars(text.data(), text.data() + text.size(), size).ec == std::errc{}) {
            entry.size = size;
        }
    }
    return entry;
}

SubscriptionEntry subscription_of(const json::object& object) {
    SubscriptionEntry entry;
    entry.id = text_of(object, "id");
    entry.change_type = text_of(object, "changeType");
    entry.resource = text_of(object, "resource");
    entry.notification_url = text_of(object, "notificationUrl");
    entry.lifecycle_url = text_of(object, "lifecycleNotificationUrl");
    entry.expires = parse_timestamp(text_of(object, "expirationDateTime"));
    return entry;
}

template <typename Entry, typename Convert>
sdk::Result<Page<Entry>> parse_page(std::string_view text, Convert convert) {
    json::error_code error;
    json::monotonic_resource memory;
    const json::value document = parse_document(text, error, &memory);
    if (error || !document.is_object()) {
        return not_a_document();
    }
    const json::object& object = document.get_object();
    const json::value* values = object.if_contains("value");
    if (values == nullptr || !values->is_array()) {
        return not_a_document();
    }
    Page<Entry> page;
    page.next_link = text_of(object, "@odata.nextLink");
    page.delta_link = text_of(object, "@odata.deltaLink");
    page.entries.reserve(values->get_array().size());
    for (const json::value& value : values->get_array()) {
        Entry entry = value.is_object() ? convert(value.get_object()) : Entry{};
        if (entry.id.empty()) {
            ++page.unusable;
        } else {
            page.entries.push_back(std::move(entry));
        }
    }
    return page;
}

template <typename Number>
bool parse_digits(std::string_view text, Number& value) {
    if (!std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
        return false;
    }
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
}

template <typename Entry>
sdk::Result<Entry> parse_alone(std::string_view text, Entry (*entry_of)(const json::object&)) {
    json::error_code error;
    const json::value document = parse_document(text, error);
    if (error || !document.is_object()) {
        return not_a_document();
    }
    Entry entry = entry_of(document.get_object());
    return entry.id.empty() ? sdk::Result<Entry>(not_a_document()) : std::move(entry);
}

}  // namespace

sdk::Error not_a_document() {
    return failure(sdk::Errc::unavailable,
                   "the service's answer is not the expected JSON: check what is between this "
                   "machine and it");
}

bool looks_whole(std::string_view text) {
    text = without_mark(text);
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kSpace);
    return first != std::string_view::npos && text[first] == '{' &&
           text[text.find_last_not_of(kSpace)] == '}';
}

sdk::Result<Page<UserEntry>> parse_users(std::string_view text) {
    return parse_page<UserEntry>(text, user_of);
}

sdk::Result<Page<FolderEntry>> parse_folders(std::string_view text) {
    return parse_page<FolderEntry>(text, folder_of);
}

sdk::Result<Page<MessageEntry>> parse_messages(std::string_view text) {
    return parse_page<MessageEntry>(text, message_of);
}

sdk::Result<UserEntry> parse_user(std::string_view text) {
    return parse_alone<UserEntry>(text, user_of);
}

sdk::Result<Page<SizeEntry>> parse_sizes(std::string_view text) {
    return parse_page<SizeEntry>(text, size_of);
}

sdk::Result<FolderEntry> parse_folder(std::string_view text) {
    return parse_alone<FolderEntry>(text, folder_of);
}

sdk::Result<Page<SubscriptionEntry>> parse_subscriptions(std::string_view text) {
    return parse_page<SubscriptionEntry>(text, subscription_of);
}

sdk::Result<SubscriptionEntry> parse_subscription(std::string_view text) {
    return parse_alone<SubscriptionEntry>(text, subscription_of);
}

std::optional<sdk::Timestamp> parse_timestamp(std::string_view text) {
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
        text[13] != ':' || text[16] != ':' || text.back() != 'Z') {
        return std::nullopt;
    }
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!parse_digits(text.substr(0, 4), year) || !parse_digits(text.substr(5, 2), month) ||
        !parse_digits(text.substr(8, 2), day) || !parse_digits(text.substr(11, 2), hour) ||
        !parse_digits(text.substr(14, 2), minute) || !parse_digits(text.substr(17, 2), second)) {
        return std::nullopt;
    }
    std::string_view fraction = text.substr(19, text.size() - 20);
    int milliseconds = 0;
    if (!fraction.empty()) {
        if (fraction.front() != '.') {
            return std::nullopt;
        }
        std::string digits(fraction.substr(1, 3));
        digits.resize(3, '0');
        if (!parse_digits(digits, milliseconds)) {
            return std::nullopt;
        }
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second) + std::chrono::milliseconds(milliseconds);
}

}  // namespace openarchiver::microsoft365
