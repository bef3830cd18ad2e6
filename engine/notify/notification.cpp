#include "notify/notification.hpp"

#include <array>
#include <boost/json.hpp>

#include "catalog/iso_time.hpp"
#include "notify/plain_text.hpp"

namespace openarchiver::notify {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 4> kChanges{"begun", "worse", "reminder", "over"};
constexpr std::size_t kSummary = 160;
constexpr std::size_t kSentence = 1000;

std::string sentence(const Notice& notice) {
    const std::string summary = one_line(notice.condition.summary, kSentence);
    return notice.change == Change::over ? "over: " + summary : summary;
}

json::object value_of(const Notice& notice) {
    json::object value{{"condition", to_string(notice.condition.kind)},
                       {"change", to_string(notice.change)},
                       {"subject", notice.condition.subject},
                       {"name", notice.condition.name},
                       {"degree", notice.condition.degree},
                       {"since", catalog::iso_time(notice.since)},
                       {"summary", notice.condition.summary},
                       {"advice", notice.condition.advice},
                       {"details", notice.condition.details}};
    if (!notice.accounts.empty()) {
        value["accounts"] = json::array(notice.accounts.begin(), notice.accounts.end());
    }
    return value;
}

}  // namespace

std::string_view to_string(Change change) {
    return kChanges[static_cast<std::size_t>(change)];
}

std::string summary_of(const Notification& notification) {
    if (notification.notices.empty()) {
        return "test: notifications of " + notification.host + " arrive here";
    }
    const std::size_t more = notification.notices.size() - 1;
    return one_line(sentence(notification.notices.front()), kSummary) +
           (more == 0 ? "" : " (and " + std::to_string(more) + " more)");
}

std::string mail_text(const Notification& notification) {
    std::string text;
    if (notification.notices.empty()) {
        text = "This is a test. Nothing has to be done.\r\n\r\n";
    }
    for (const Notice& notice : notification.notices) {
        text += sentence(notice) + "\r\n";
        if (notice.change != Change::over && !notice.condition.advice.empty()) {
            text += notice.condition.advice + "\r\n";
        }
        for (const std::string& account : notice.accounts) {
            text += "  " + one_line(account) + "\r\n";
        }
        text += "(" + std::string(to_string(notice.condition.kind)) + ", " +
                std::string(to_string(notice.change)) + "; since " +
                catalog::iso_time(notice.since) + ")\r\n\r\n";
    }
    return text + "-- \r\nOpenArchiver on " + notification.host + ", " +
           catalog::iso_time(notification.at) + "\r\n";
}

std::string to_json(const Notification& notification) {
    json::array conditions;
    for (const Notice& notice : notification.notices) {
        conditions.push_back(value_of(notice));
    }
    return json::serialize(json::object{{"version", 1},
                                        {"id", notification.id},
                                        {"at", catalog::iso_time(notification.at)},
                                        {"host", notification.host},
                                        {"test", notification.notices.empty()},
                                        {"summary", summary_of(notification)},
                                        {"conditions", std::move(conditions)}});
}

}  // namespace openarchiver::notify
