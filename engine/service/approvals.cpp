#include "service/approvals.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <iterator>
#include <utility>

#include "archive/digest.hpp"
#include "files/shared_file.hpp"
#include "service/audit.hpp"
#include "service/documents.hpp"
#include "service/members.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::size_t kIdDigits = 12;

/// As the audit trail names it, but for the approval of policies.
const char* name_of(const Deed& deed) {
    constexpr const char* kNames[] = {"hold_release", "disposal", "forget", "forget"};
    return kNames[deed.index()];
}

/// Who knows a request's id has seen this request.
std::string id_of(const json::object& request) {
    json::object all;
    for (const auto& [name, value] : request) {
        if (name != "id") {
            all.emplace(name, value);
        }
    }
    return archive::to_hex(archive::sha256(json::serialize(all))).substr(0, kIdDigits);
}

std::string text(const json::object& request, std::string_view name) {
    return Members(request).text(name);
}

std::int64_t now_of(const sdk::Clock& clock) {
    return sdk::timestamp_of(clock).time_since_epoch().count();
}

json::value shown_time(const json::object& request, std::string_view name) {
    return time_value(Members(request).time(name).value_or(sdk::Timestamp{}));
}

/// For people: what has to be known to do it is left out.
json::object shown(const json::object& request) {
    const json::value* const what = request.if_contains("what");
    return {{"id", text(request, "id")},
            {"deed", text(request, "deed")},
            {"what", what != nullptr ? *what : json::value()},
            {"reason", text(request, "reason")},
            {"asked_by", text(request, "by")},
            {"asked_at", shown_time(request, "at")},
            {"expires_at", shown_time(request, "expires_at")}};
}

auto find(std::vector<json::object>& requests, const std::string& id) {
    return std::ranges::find_if(requests,
                                [&](const json::object& one) { return text(one, "id") == id; });
}

Error unknown(const std::string& id) {
    return {Errc::invalid_argument,
            "no request \"" + id +
                "\" waits for a second person: it was decided, or has expired; " +
                "`openarchiver approval list` lists those that do"};
}

}  // namespace

Approvals::Approvals(const profile::Archive& archive, const sdk::Clock& clock)
    : archive_(archive),
      clock_(clock),
      file_(archive.catalog_path / "approvals.json"),
      lock_file_(archive.catalog_path / "approvals.lock") {}

Error Approvals::unwritten() const {
    const int code = errno;
    return {code == ENOSPC ? Errc::resource_exhausted : Errc::permission_denied,
            "the requests that wait for a second person can't be written: " + file_.string() +
                ": " + std::generic_category().message(code)};
}

Result<Approvals::Requests> Approvals::read() const {
    Requests requests;
    const std::string contents = files::read_shared(file_);
    if (contents.empty()) {
        return requests;
    }
    boost::system::error_code broken;
    const json::value document = json::parse(contents, broken);
    if (broken || !document.is_array()) {
        return Error{Errc::corrupt, "the file of the requests that wait for a second person, " +
                                        file_.string() +
                                        ", is not what the engine wrote; remove it, and ask anew"};
    }
    const std::int64_t now = now_of(clock_);
    for (const json::value& value : document.get_array()) {
        const auto* const request = value.if_object();
        const auto* const end = request == nullptr ? nullptr : request->if_contains("expires_at");
        if (end != nullptr && end->is_int64() && now < end->get_int64()) {
            requests.push_back(*request);
        }
    }
    return requests;
}

Status Approvals::write(const Requests& requests) const {
    const json::array all(requests.begin(), requests.end());
    return files::replace_file(file_, json::serialize(all) + "\n") ? Status() : Status(unwritten());
}

Result<bool> Approvals::needed(const Deed& deed) const {
    if (std::holds_alternative<catalog::HoldReleased>(deed)) {
        return archive_.second_person.hold_release;
    }
    if (const auto* const apply = std::get_if<disposal::ApplyRequest>(&deed)) {
        if (!archive_.second_person.disposal) {
            return false;
        }
        // What is approved already was by two.
        OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_path));
        return disposal::would_approve(archive_.retention, *apply, *catalog);
    }
    return archive_.second_person.forget;
}

/// What exactly the deed is about, as things stand: the same as long as it would do the same. An
/// error is what the deed would be refused with.
Result<json::object> Approvals::scope_of(const Deed& deed, const std::stop_token& stop) const {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_path));
    if (const auto* const release = std::get_if<catalog::HoldReleased>(&deed)) {
        OPENARCHIVER_CHECK(disposal::check_given(release->reason, "--reason", "why the hold ends"));
        OPENARCHIVER_TRY(const auto hold, disposal::find_in_force(*catalog, release->id));
        return hold_value(hold);
    }
    if (const auto* const apply = std::get_if<disposal::ApplyRequest>(&deed)) {
        OPENARCHIVER_CHECK(disposal::would_approve(archive_.retention, *apply, *catalog));
        const std::string definition = disposal::definition_of(archive_.retention);
        return json::object{{"code", disposal::approval_code(definition)},
                            {"policies", json::parse(definition)}};
    }
    if (const auto* const account = std::get_if<disposal::ForgetRequest>(&deed)) {
        OPENARCHIVER_CHECK(
            disposal::check_given(account->reason, "--reason", "why the account is forgotten"));
        OPENARCHIVER_TRY(const auto plan, disposal::plan_forget(*catalog, *account));
        OPENARCHIVER_CHECK(disposal::refuse_held(plan.holds, "the account"));
        return json::object{{"source", plan.account.source},
                            {"account", plan.account.id},
                            {"address", plan.account.address}};
    }
    const auto& item = std::get<disposal::ForgetItemRequest>(deed);
    OPENARCHIVER_CHECK(disposal::check_given(item.reason, "--reason", "why the item is forgotten"));
    OPENARCHIVER_TRY(const auto plan, disposal::plan_forget_item(*catalog, item.ref, stop));
    OPENARCHIVER_CHECK(disposal::refuse_held(plan.holds, "the item"));
    json::array versions;
    for (const auto& version : plan.versions) {
        versions.emplace_back(archive::to_hex(version.content));
    }
    const auto& any = plan.versions.front();
    return json::object{{"ref", any.ref},
                        {"source", any.source},
                        {"account", any.account},
                        {"address", any.address},
                        {"versions", std::move(versions)}};
}

Result<std::string> Approvals::carry_out_or_ask(Deed deed, const Person& person,
                                                const CarryOut& carry_out, std::stop_token stop) {
    sign(deed, person.by);
    OPENARCHIVER_TRY(const bool second_person, needed(deed));
    return second_person ? ask(deed, person, std::move(stop)) : carry_out(deed);
}

Result<std::string> Approvals::ask(const Deed& deed, const Person& person, std::stop_token stop) {
    OPENARCHIVER_TRY(json::object what, scope_of(deed, stop));
    Deed pinned = deed;
    if (auto* const account = std::get_if<disposal::ForgetRequest>(&pinned)) {
        account->source = text(what, "source");
        account->account = text(what, "account");
    }
    const std::int64_t now = now_of(clock_);
    constexpr auto kLife = std::chrono::milliseconds(kExpireAfter);
    const json::value options = json::parse(options_of(pinned));
    const auto* const release = std::get_if<catalog::HoldReleased>(&deed);
    json::object request{
        {"deed", name_of(deed)},
        {"what", std::move(what)},
        {"reason", release != nullptr ? release->reason : text(options.get_object(), "reason")},
        {"by", person.by},
        {"at", now},
        {"expires_at", now + kLife.count()},
        {"verb", verb_of(pinned)},
        {"options", options}};
    request["id"] = id_of(request);
    const files::FileLock lock(lock_file_);
    if (!lock.held()) {
        return unwritten();
    }
    OPENARCHIVER_TRY(auto requests, read());
    const auto same = std::ranges::find_if(requests, [&](const json::object& one) {
        return one.at("deed") == request.at("deed") && one.at("what") == request.at("what");
    });
    if (same != requests.end()) {
        return Error{Errc::invalid_argument,
                     text(*same, "by") + " asked for the same already: " + text(*same, "id") +
                         " waits for a second person's approval"};
    }
    if (requests.size() >= kMost) {
        return Error{Errc::invalid_argument,
                     std::to_string(kMost) + " requests wait for a second person already"};
    }
    json::object document = shown(request);
    OPENARCHIVER_CHECK(AuditJournal(archive_.catalog_path)
                           .append({.by = person.by,
                                    .role = person.role,
                                    .action = "approval_request",
                                    .object = text(request, "id"),
                                    .detail = document},
                                   clock_));
    requests.push_back(std::move(request));
    OPENARCHIVER_CHECK(write(requests));
    return json::serialize(json::object{{"request", std::move(document)}});
}

Result<std::string> Approvals::document() const {
    OPENARCHIVER_TRY(const auto requests, read());
    json::array all;
    std::ranges::transform(requests, std::back_inserter(all), shown);
    return json::serialize(json::object{{"approvals", std::move(all)}});
}

Result<std::string> Approvals::approve(const std::string& id, const Person& person,
                                       const CarryOut& carry_out, std::stop_token stop) {
    const files::FileLock lock(
        lock_file_);  // held until it is done: nobody decides otherwise meanwhile
    if (!lock.held()) {
        return unwritten();
    }
    OPENARCHIVER_TRY(auto requests, read());
    const auto found = find(requests, id);
    if (found == requests.end()) {
        return unknown(id);
    }
    const json::object request = *found;
    const auto* const options = request.if_contains("options");
    const auto* const what = request.if_contains("what");
    if (id_of(request) != id || options == nullptr || what == nullptr) {
        return Error{Errc::corrupt, "the request " + id + " in " + file_.string() +
                                        " is not what was asked for: refuse it, and ask anew"};
    }
    const std::string asked_by = text(request, "by");
    if (may_be_one(asked_by, person.by)) {
        return Error{Errc::invalid_argument, "the request " + id + " was made by " + asked_by +
                                                 ": another person has to approve it"};
    }
    OPENARCHIVER_TRY(auto deed, parse_deed(text(request, "verb"), json::serialize(*options)));
    requests.erase(found);
    const auto scope = scope_of(deed, stop);
    if (scope ? *scope != *what : scope.error().code == Errc::invalid_argument) {
        OPENARCHIVER_CHECK(write(requests));
        return Error{Errc::invalid_argument,
                     "what the request " + id +
                         " is about has changed since, so nothing was done: ask anew" +
                         (scope ? "" : " (" + scope.error().message + ")")};
    }
    OPENARCHIVER_CHECK(scope);
    sign(deed, asked_by + ", approved by " + person.by);
    OPENARCHIVER_TRY(const std::string result, carry_out(deed));
    OPENARCHIVER_CHECK(write(requests));
    return json::serialize(
        json::object{{"approved", shown(request)}, {"result", json::parse(result)}});
}

Result<std::string> Approvals::refuse(const std::string& id, const std::string& reason) {
    OPENARCHIVER_CHECK(disposal::check_given(reason, "--reason", "why it is refused"));
    const files::FileLock lock(lock_file_);
    if (!lock.held()) {
        return unwritten();
    }
    OPENARCHIVER_TRY(auto requests, read());
    const auto found = find(requests, id);
    if (found == requests.end()) {
        return unknown(id);
    }
    json::object document = shown(*found);
    requests.erase(found);
    OPENARCHIVER_CHECK(write(requests));
    return json::serialize(json::object{{"refused", std::move(document)}});
}

}  // namespace openarchiver::service
