#include "service/head_witnesses.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <http/http_client.hpp>
#include <utility>

#include "archive/object_io.hpp"
#include "catalog/catalog_reader.hpp"
#include "evidence/head.hpp"
#include "evidence/object_keys.hpp"
#include "evidence/text.hpp"
#include "evidence/timestamp.hpp"
#include "files/shared_file.hpp"

namespace openarchiver::service {

namespace fs = std::filesystem;
namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

using namespace std::chrono_literals;

constexpr auto kAuthorityTimeout = 10s;
constexpr auto kFirstWait = 30s;
constexpr auto kLongestWait = 3600s;

fs::path state_file(const profile::Profile& profile) {
    return profile.archive.catalog_path / "witnesses.json";
}

json::value value_of(const std::optional<WitnessState>& state) {
    if (!state) {
        return nullptr;
    }
    return {{"head", state->head},
            {"at", state->at.time_since_epoch().count()},
            {"failing_since", state->failing_since.time_since_epoch().count()},
            {"error", state->error}};
}

/// Absent where the file does not have it in this form.
std::optional<WitnessState> state_in(const json::value& document, std::string_view name) {
    const auto* object = document.if_object();
    const auto* value = object != nullptr ? object->if_contains(name) : nullptr;
    const auto* state = value != nullptr ? value->if_object() : nullptr;
    if (state == nullptr) {
        return std::nullopt;
    }
    const auto number = [&](const char* member) {
        const auto* found = state->if_contains(member);
        return found != nullptr && found->is_int64() ? found->get_int64() : 0;
    };
    WitnessState read{
        .head = static_cast<std::uint64_t>(std::max<std::int64_t>(number("head"), 0)),
        .at = sdk::Timestamp(std::chrono::milliseconds(number("at"))),
        .failing_since = sdk::Timestamp(std::chrono::milliseconds(number("failing_since"))),
        .error = {}};
    if (const auto* error = state->if_contains("error"); error != nullptr && error->is_string()) {
        read.error = error->get_string();
    }
    return read;
}

std::string file_name(std::uint64_t number) {
    const std::string key = evidence::head_key(number);
    return key.substr(key.find('/') + 1);
}

/// The highest number of a head that the folder holds.
std::uint64_t newest_in(const fs::path& folder) {
    std::uint64_t newest = 0;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        const auto digits = name.find_first_not_of('0');
        const auto number = digits == std::string::npos
                                ? std::nullopt
                                : evidence::number_from(std::string_view(name).substr(digits));
        if (number && file_name(*number) == name) {
            newest = std::max(newest, *number);
        }
    }
    return newest;
}

/// RFC 3161, section 3.4.
Result<std::string> ask(const std::string& url, const std::string& query, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto split, http::split_url(url));
    http::HttpClient client;
    http::HttpRequest request;
    request.method = "POST";
    request.target = split.target;
    request.fields = {{"Content-Type", "application/timestamp-query"},
                      {"Accept", "application/timestamp-reply"}};
    request.body = query;
    request.answer_timeout = kAuthorityTimeout;
    request.stall_timeout = kAuthorityTimeout;
    OPENARCHIVER_TRY(const auto response, client.send(split.origin, request, std::move(stop)));
    if (response->head().status != 200) {
        return Error{Errc::unavailable,
                     "it answered with status " + std::to_string(response->head().status)};
    }
    return response->read_all(evidence::kMaxTimestampSize);
}

}  // namespace

WitnessStates read_witness_states(const profile::Profile& profile) {
    const auto& evidence = profile.archive.evidence;
    std::ifstream stream(state_file(profile));
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    json::error_code error;
    const json::value document = json::parse(text, error);
    WitnessStates states;
    if (evidence.timestamp_authority) {
        states.timestamp = state_in(document, "timestamp").value_or(WitnessState{});
    }
    if (!evidence.publish_to.empty()) {
        states.publication = state_in(document, "publication").value_or(WitnessState{});
    }
    return states;
}

std::vector<std::string> witness_problems(const profile::Profile& profile,
                                          const WitnessStates& states, sdk::Timestamp now) {
    std::vector<std::string> problems;
    const auto& authority = profile.archive.evidence.timestamp_authority;
    const auto failing = [](const std::optional<WitnessState>& state) {
        return state && state->failing_since != sdk::Timestamp{};
    };
    if (authority && failing(states.timestamp) &&
        now - states.timestamp->failing_since >= authority->every) {
        problems.push_back("no timestamp since " +
                           (states.timestamp->head == 0
                                ? std::string("the beginning")
                                : evidence::time_text(states.timestamp->at)) +
                           ": " + states.timestamp->error);
    }
    if (failing(states.publication)) {
        problems.push_back("heads are not published since " +
                           evidence::time_text(states.publication->failing_since) + ": " +
                           states.publication->error);
    }
    return problems;
}

HeadWitnesses::HeadWitnesses(const access::Context& context) : context_(context) {}

bool HeadWitnesses::any() const {
    const auto& evidence = context_.profile.archive.evidence;
    return evidence.timestamp_authority || !evidence.publish_to.empty();
}

void HeadWitnesses::save(const WitnessStates& states) {
    const json::object document{{"timestamp", value_of(states.timestamp)},
                                {"publication", value_of(states.publication)}};
    if (const auto saved =
            files::replace_file(state_file(context_.profile), json::serialize(document) + "\n",
                                files::Readers::everyone);
        !saved) {
        context_.log->warn("OA-3012 how it goes with the head's witnesses is not kept: {}",
                           saved.error().message);
    }
}

void HeadWitnesses::record(const char* what, WitnessState& state, std::uint64_t head,
                           const Status& done) {
    const auto now = sdk::timestamp_of(context_.clock);
    if (done) {
        state = {.head = head, .at = now, .failing_since = {}, .error = {}};
        return;
    }
    if (state.error != done.error().message) {
        context_.log->warn("OA-3011 head {} was not {}: {}; it is tried again", head, what,
                           done.error().message);
    }
    state.error = done.error().message;
    if (state.failing_since == sdk::Timestamp{}) {
        state.failing_since = now;
    }
}

void HeadWitnesses::visit(archive::Archive& archive, const std::stop_token& stop) {
    const auto catalog = catalog::CatalogReader::open(context_.profile.archive.catalog_path);
    const auto note =
        catalog ? (*catalog)->newest_head() : Result<std::optional<std::string>>(std::nullopt);
    if (!any() || !note || !*note) {
        return;
    }
    const auto head = evidence::parse_head(**note);
    if (!head) {
        return;
    }
    WitnessStates states = read_witness_states(context_.profile);
    bool changed = false;
    const auto now = sdk::timestamp_of(context_.clock);
    const auto steady = std::chrono::steady_clock::now();
    if (states.timestamp && states.timestamp->head < head->number && steady >= next_timestamp_ &&
        (now < states.timestamp->at ||
         now - states.timestamp->at >=
             context_.profile.archive.evidence.timestamp_authority->every)) {
        const Status done = timestamp(archive, **note, head->number, stop);
        if (stop.stop_requested() && !done) {
            return;
        }
        wait_ = done ? 0s : std::clamp(2 * wait_, std::chrono::seconds(kFirstWait), kLongestWait);
        next_timestamp_ = steady + wait_;
        record("timestamped", *states.timestamp, head->number, done);
        changed = true;
    }
    if (states.publication &&
        (states.publication->head != head->number || !states.publication->error.empty())) {
        const Status done = publish(archive, *states.publication, stop);
        record("published", *states.publication, head->number, done);
        changed = true;
    }
    if (changed) {
        save(states);
    }
}

Status HeadWitnesses::timestamp(archive::Archive& archive, const std::string& note,
                                std::uint64_t number, std::stop_token stop) {
    const auto& authority = *context_.profile.archive.evidence.timestamp_authority;
    const auto in_authority = [&](Error error) {
        error.message = "the timestamp authority " + authority.url + ": " + error.message;
        return error;
    };
    const auto request = evidence::make_request(archive::sha256(note));
    const auto reply = ask(authority.url, request.query, stop);
    if (!reply) {
        return in_authority(reply.error());
    }
    if (const auto checked = evidence::check_reply(*reply, request, authority.ca_file); !checked) {
        return in_authority(checked.error());
    }
    const auto put = archive::put_object(archive.store(), evidence::timestamp_key(number), *reply,
                                         sdk::PutMode::if_absent, std::move(stop));
    // Another attempt's, whose answer was lost: as good.
    return put || put.error().code == Errc::already_exists ? Status() : put;
}

/// FOLDER/ARCHIVE/NUMBER, one file for each head since the newest one that is there; its timestamp
/// is in the archive, and in proofs.
Status HeadWitnesses::publish(archive::Archive& archive, WitnessState& state,
                              const std::stop_token& stop) {
    const fs::path& place = context_.profile.archive.evidence.publish_to;
    std::error_code error;
    if (!fs::is_directory(place, error)) {
        // Not made: below a share that is not mounted it would be the wrong place.
        return Error{Errc::not_found,
                     "there is no folder " + place.string() + ": is its volume mounted?"};
    }
    const fs::path folder = place / archive.marker().archive_id;
    fs::create_directory(folder, error);
    if (error) {
        return Error{Errc::unavailable, "can't make " + folder.string() + ": " + error.message()};
    }
    const fs::path key_file = folder / "public-key.pem";
    if (!fs::exists(key_file, error)) {
        OPENARCHIVER_CHECK(files::replace_file(
            key_file, archive::to_pem(archive.marker().public_key), files::Readers::everyone));
    }
    const std::uint64_t there = newest_in(folder);
    // With the newest one that is there: it is compared, too.
    OPENARCHIVER_TRY(const auto numbers,
                     evidence::list_heads(archive.store(), there == 0 ? 0 : there - 1, stop));
    if (there > (numbers.empty() ? 0 : numbers.back())) {
        return Error{Errc::corrupt,
                     "the folder " + folder.string() + " has head " + std::to_string(there) +
                         ", which the archive does not have any more: was an older copy put back? "
                         "Run `openarchiver verify --head` with it"};
    }
    for (const std::uint64_t number : numbers) {
        if (there == 0 && number != numbers.back()) {
            continue;
        }
        OPENARCHIVER_TRY(const std::string note,
                         archive::read_object(archive.store(), evidence::head_key(number),
                                              evidence::kMaxHeadSize, stop));
        const fs::path file = folder / file_name(number);
        if (number > there) {
            OPENARCHIVER_CHECK(files::replace_file(file, note, files::Readers::everyone));
        } else {
            std::ifstream stream(file, std::ios::binary);
            if (std::string{std::istreambuf_iterator<char>(stream), {}} != note) {
                return Error{
                    Errc::corrupt,
                    "the file " + file.string() +
                        " has another head than the archive: "
                        "one of the two was rewritten. Run `openarchiver verify --head` with "
                        "it"};
            }
        }
    }
    state.head = numbers.empty() ? 0 : numbers.back();
    return {};
}

}  // namespace openarchiver::service
