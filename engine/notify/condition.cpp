#include "notify/condition.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "catalog/iso_time.hpp"
#include "notify/plain_text.hpp"

namespace openarchiver::notify {

namespace json = boost::json;

namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, 6> kKinds{"attention", "lag",     "credential",
                                                 "verify",    "storage", "evidence"};
/// A credential that ends within this time is urgent.
constexpr std::chrono::days kSoon{7};

const json::value& member(const json::value& object, std::string_view name) {
    static const json::value nothing;
    const auto* const members = object.if_object();
    const auto* const found = members != nullptr ? members->if_contains(name) : nullptr;
    return found != nullptr ? *found : nothing;
}

std::string text_in(const json::value& object, std::string_view name) {
    const auto* const text = member(object, name).if_string();
    return text != nullptr ? std::string(*text) : std::string();
}

std::optional<std::uint64_t> number_in(const json::value& object, std::string_view name) {
    boost::system::error_code none;
    const auto number = member(object, name).to_number<std::uint64_t>(none);
    return none ? std::nullopt : std::optional(number);
}

std::string counted(std::uint64_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string duration_text(std::uint64_t time) {
    return time >= 2 * 86400  ? std::to_string(time / 86400) + " days"
           : time >= 2 * 3600 ? std::to_string(time / 3600) + " hours"
                              : std::to_string(time / 60) + " minutes";
}

std::string with_reason(std::string text, const std::string& reason) {
    return reason.empty() ? text : std::move(text) + ": " + plain_text(reason);
}

class Look {
public:
    Look(const json::value& status, const profile::Notifications& settings,
         std::uint64_t free_space_floor, sdk::Timestamp now)
        : status_(status), settings_(settings), floor_(free_space_floor), now_(now) {}

    Observation take() && {
        seen_.subjects = {"engine", "archive", "catalog"};
        if (const auto* sources = member(status_, "sources").if_array()) {
            for (const json::value& source : *sources) {
                if (member(source, "paused_by").is_null()) {
                    look_at(source);
                }
            }
        }
        if (const json::value& damage = member(member(status_, "verify"), "damage");
            damage.is_object()) {
            add(Kind::verify, "archive", "Archive", 1,
                "the archive is damaged: verify found damage at " + text_in(damage, "at"),
                "`openarchiver verify` names the objects and items; put them back from a copy "
                "(docs/operations.md, Restoring), then verify again.",
                {{"at", member(damage, "at")},
                 {"scope", member(damage, "scope")},
                 {"findings", member(damage, "findings")}});
        }
        look_at_space("archive", "the archive's store");
        look_at_space("catalog", "the catalog's volume");
        if (const auto* problems = member(member(status_, "evidence"), "problems").if_array();
            problems != nullptr && !problems->empty()) {
            const auto* first = problems->front().if_string();
            add(Kind::evidence, "archive", "Archive", 1,
                with_reason("the archive's evidence is not complete",
                            first != nullptr ? std::string(*first) : std::string()),
                "`openarchiver status` lists what is missing.", {{"problems", problems->size()}});
        }
        return std::move(seen_);
    }

private:
    Condition& add(Kind kind, std::string subject, std::string name, int degree,
                   std::string summary, std::string advice, json::object details) {
        return seen_.conditions.emplace_back(Condition{.kind = kind,
                                                       .subject = std::move(subject),
                                                       .name = std::move(name),
                                                       .degree = degree,
                                                       .summary = std::move(summary),
                                                       .advice = std::move(advice),
                                                       .details = std::move(details)});
    }

    void look_at(const json::value& source) {
        const std::string id = text_in(source, "id");
        const std::string name = one_line(text_in(source, "name"));
        seen_.subjects.insert(id);
        const std::string status = text_in(source, "status");
        const std::string reason = text_in(source, "reason");
        const auto failures = number_in(source, "failures").value_or(0);
        const auto accounts = number_in(member(source, "accounts"), "failed").value_or(0);
        json::object details{
            {"status", status}, {"failures", failures}, {"accounts_failed", accounts}};
        if (status == "error") {
            add(Kind::attention, id, name, 3, with_reason(name + " is not archived", reason),
                "`openarchiver source check " + id + "` says what to do. It is tried again.",
                std::move(details));
        } else if (status == "attention") {
            const std::string accounts_text =
                accounts == 0 ? ""
                              : " (" + counted(accounts, "account") + " could not be archived)";
            add(Kind::attention, id, name, accounts == 0 ? 1 : 2,
                with_reason(name + " needs attention" + accounts_text, reason),
                "`openarchiver failures` lists what could not be archived.", std::move(details));
        }
        const auto lag = number_in(source, "lag_seconds");
        const auto every = number_in(source, "every_seconds").value_or(0);
        if (lag && *lag > every + static_cast<std::uint64_t>(settings_.lag.count())) {
            add(Kind::lag, id, name, 1,
                name + " lags: its last good run ended " + duration_text(*lag) + " ago",
                "`openarchiver status` shows whether a run goes on and what the last one ended "
                "with.",
                {{"lag_seconds", *lag}, {"every_seconds", every}});
        }
        if (const auto expires =
                catalog::parse_iso_time(text_in(source, "credentials_expire_at"))) {
            look_at_credential(id, name, *expires);
        }
    }

    void look_at_credential(const std::string& id, const std::string& name,
                            sdk::Timestamp expires) {
        const auto left = std::chrono::duration_cast<seconds>(expires - now_);
        if (left > settings_.credential_before) {
            return;
        }
        const std::string date = catalog::iso_time(expires).substr(0, 10);
        const bool over = left <= seconds(0);
        const bool soon = left <= kSoon;
        Condition& condition =
            add(Kind::credential, id, name,
                over   ? 3
                : soon ? 2
                       : 1,
                "the credential of " + name +
                    (over ? " expired on " + date
                          : " expires on " + date + ", in " +
                                counted(static_cast<std::uint64_t>(
                                            std::chrono::floor<std::chrono::days>(left).count()),
                                        "day")),
                "Renew it, and put the new one where the profile refers to.",
                {{"expires_at", catalog::iso_time(expires)}});
        condition.patience = soon ? 1 : 7;
    }

    void look_at_space(const char* subject, const std::string& place) {
        const json::value& space = member(member(status_, "storage"), subject);
        const auto free = number_in(space, "free_bytes");
        const auto total = number_in(space, "total_bytes");
        if (!free || !total || *total == 0) {
            return;
        }
        const bool full = *free <= floor_;
        const bool filling = settings_.storage_below_percent > 0
                                 ? *free / (*total / 100 + 1) < settings_.storage_below_percent
                                 : *free < settings_.storage_below_bytes;
        if (!full && !filling) {
            return;
        }
        const std::string left = size_text(*free) + " of " + size_text(*total) + " are free";
        add(Kind::storage, subject, place, full ? 2 : 1,
            full ? place + " is full: " + left : place + " is filling: " + left,
            full && std::string_view(subject) == "archive"
                ? "Nothing is archived until there is room: free some, or enlarge it."
                : "Free some, or enlarge it, before archiving stops.",
            {{"free_bytes", *free}, {"total_bytes", *total}});
    }

    const json::value& status_;
    const profile::Notifications& settings_;
    const std::uint64_t floor_;
    const sdk::Timestamp now_;
    Observation seen_;
};

}  // namespace

std::string_view to_string(Kind kind) {
    return kKinds[static_cast<std::size_t>(kind)];
}

std::optional<Kind> kind_of(std::string_view name) {
    const auto found = std::ranges::find(kKinds, name);
    return found == kKinds.end() ? std::nullopt
                                 : std::optional(static_cast<Kind>(found - kKinds.begin()));
}

Observation observe(const json::value& status, const profile::Notifications& settings,
                    std::uint64_t free_space_floor, sdk::Timestamp now) {
    return Look(status, settings, free_space_floor, now).take();
}

Observation nothing_to_see(const sdk::Error& error) {
    return {.conditions = {Condition{
                .kind = Kind::attention,
                .subject = "engine",
                .name = "Engine",
                .degree = 3,
                .summary = "the archive can't be looked at: " + plain_text(error.message),
                .advice = "`openarchiver status` says more."}},
            .subjects = {},
            .complete = false};
}

}  // namespace openarchiver::notify
