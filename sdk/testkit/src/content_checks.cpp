// The bytes of items, and what is not there.
#include <chrono>
#include <future>
#include <openarchiver/testkit/byte_streams.hpp>

#include "provider_suite.hpp"

namespace openarchiver::testkit::provider {

namespace {

constexpr std::size_t kItems = 25;
constexpr std::chrono::seconds kPatience{10};

sdk::Result<Bytes> read_item(sdk::ProviderSession& session, const ItemPlace& place,
                             std::size_t piece, std::stop_token stop = {}) {
    OPENARCHIVER_TRY(const auto reader,
                     session.open_content(place.folder.account_id, place.item_id, stop));
    return read_all(*reader, piece);
}

void same_bytes(sdk::ProviderSession& session, Findings& findings) {
    const auto items = some_items(session, kItems);
    if (!findings.expect(items && !items->empty(), "the fixture's source has an item",
                         outcome_of(items))) {
        return;
    }
    for (const ItemPlace& place : *items) {
        const auto first = read_item(session, place, 65536);
        const auto second = read_item(session, place, 1000);
        findings.expect(first.has_value(), "an item that was listed can be read",
                        outcome_of(first));
        findings.expect(first && second && *first == *second,
                        "an item has the same bytes at each reading", outcome_of(second));
    }
}

/// Of an item that can't be delivered, as the engine would ask; a provider may have nothing.
sdk::Result<Bytes> read_reconstruction(sdk::ProviderSession& session, const std::string& account,
                                       const std::string& item) {
    const sdk::Error why{sdk::Errc::corrupt, "its content can't be delivered"};
    OPENARCHIVER_TRY(const auto reader, session.reconstruct_content(account, item, why, {}));
    return read_all(*reader);
}

void reconstructions(sdk::ProviderSession& session, Findings& findings) {
    const std::optional<ItemPlace> place = any_item(session, findings);
    if (!place) {
        return;
    }
    const std::string& account = place->folder.account_id;
    const auto first = read_reconstruction(session, account, place->item_id);
    if (failed_with(first, sdk::Errc::unsupported)) {
        return;
    }
    const auto second = read_reconstruction(session, account, place->item_id);
    findings.expect(first && !first->empty(),
                    "reconstruct_content() gives a message, or answers unsupported",
                    outcome_of(first));
    findings.expect(first && second && *first == *second,
                    "a reconstruction has the same bytes each time", outcome_of(second));
}

void unknown_ids(const ProviderFixture& fixture, Findings& findings) {
    const auto session = fixture.open();
    if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
        return;
    }
    const auto places = archived_folders(**session);
    if (!findings.expect(places && !places->empty(), "the fixture's source has a folder",
                         outcome_of(places))) {
        return;
    }
    const std::string& account = places->front().account_id;
    const auto expect_not_found = [&](const auto& result, std::string_view call,
                                      const std::string& id) {
        findings.expect(failed_with(result, sdk::Errc::not_found),
                        std::string(call) + " of the unknown id " + id + ": not_found",
                        outcome_of(result));
    };
    for (const std::string& id : fixture.unknown_items) {
        expect_not_found((*session)->open_content(account, id, {}), "open_content()", id);
        const auto reconstruction = read_reconstruction(**session, account, id);
        findings.expect(
            failed_with(reconstruction, sdk::Errc::not_found) ||
                failed_with(reconstruction, sdk::Errc::unsupported),
            "reconstruct_content() of the unknown id " + id + ": not_found, or unsupported",
            outcome_of(reconstruction));
    }
    for (const std::string& id : fixture.unknown_folders) {
        ItemCollector items;
        expect_not_found((*session)->sync_folder(account, id, std::nullopt, items, {}),
                         "sync_folder()", id);
    }
    for (const std::string& id : fixture.unknown_accounts) {
        FolderCollector folders;
        const auto listing = (*session)->list_folders(id, std::nullopt, folders, {});
        findings.expect(failed_with(listing, sdk::Errc::not_found) ||
                            (listing && listing->account_state != sdk::AccountState::available),
                        "list_folders() of the unknown account " + id +
                            ": not_found, or a state that says that it is not there",
                        outcome_of(listing));
    }
}

void read_while_blocked(sdk::ProviderSession& session, Findings& findings) {
    const std::optional<ItemPlace> place = any_item(session, findings);
    if (!place) {
        return;
    }
    ItemCollector sink;
    sink.stop_at_event = 1;
    // Ends after the sync: a reader that waits for it must not keep this check from its end.
    std::future<sdk::Result<Bytes>> reading;
    bool in_time = false;
    sink.on_item = [&](const sdk::Item& item) {
        reading = std::async(std::launch::async, [&session, id = item.id, folder = place->folder] {
            return read_item(session, {folder, id}, 65536);
        });
        in_time = reading.wait_for(kPatience) == std::future_status::ready;
    };
    // How the interrupted sync ends is the matter of another check.
    static_cast<void>(session.sync_folder(place->folder.account_id, place->folder.folder_id,
                                          std::nullopt, sink, {}));
    if (!findings.expect(reading.valid(), "sync_folder() reports an item")) {
        return;
    }
    const auto bytes = reading.get();
    const bool read = in_time && bytes.has_value();
    const std::string seen = in_time ? outcome_of(bytes) : "no answer within 10 s";
    findings.expect(read, "an item can be read while sync_folder() is blocked in its sink", seen);
}

void secrecy(const ProviderFixture& fixture, Findings& findings) {
    std::vector<std::string> texts;
    const auto keep = [&](const auto& result) {
        if (!result) {
            texts.push_back(describe(result.error()) + result.error().service_code +
                            result.error().request_id);
        }
    };
    {
        const auto session = fixture.open();
        if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
            return;
        }
        keep((*session)->check({}));
        Replica replica;
        keep(replica.sync(**session));
        keep(some_items(**session, 3));
        if (const auto places = archived_folders(**session); places && !places->empty()) {
            for (const std::string& id : fixture.unknown_items) {
                keep((*session)->open_content(places->front().account_id, id, {}));
                keep((*session)->probe(id, {}));
            }
        }
    }
    for (const std::string& secret : fixture.secrets) {
        findings.expect(fixture.logger == nullptr || !fixture.logger->contains(secret),
                        "no secret is in the log");
        for (const std::string& text : texts) {
            findings.expect(text.find(secret) == std::string::npos, "no secret is in an error");
        }
    }
}

void strangers(sdk::ProviderSession& session, Findings& findings) {
    for (const std::string& body : {std::string(), std::string("{}"), std::string(1000, '\xff')}) {
        const auto answer = session.webhook(
            {.method = "POST",
             .query = "a=b",
             .headers = {{"authorization", "Bearer guessed"}, {"content-length", "x"}},
             .body = body},
            {});
        findings.expect(failed_with(answer, sdk::Errc::permission_denied) ||
                            failed_with(answer, sdk::Errc::unsupported),
                        "webhook() with what is not from the service: permission_denied, or "
                        "unsupported",
                        outcome_of(answer));
    }
}

}  // namespace

void add_content_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(
        check(fixture,
              {"an item's bytes are the same at each reading",
               "provider.hpp, ProviderSession::open_content(); bytes.hpp, ByteReader::read()",
               "hand over the bytes as the service has them; fill any buffer, however small, and "
               "return 0 at the end only"},
              same_bytes));
    checks.push_back(
        check(fixture,
              {"a reconstruction is the same at each reading",
               "provider.hpp, ProviderSession::reconstruct_content()",
               "put nothing into it that differs between two calls: no time, no random boundary"},
              reconstructions));
    checks.push_back({.promise = {"unknown ids are not found",
                                  "provider.hpp, open_content(), sync_folder() and list_folders()",
                                  "answer Errc::not_found where the service says that there is no "
                                  "such thing, and for nothing else"},
                      .body = [fixture](Findings& findings) { unknown_ids(fixture, findings); }});
    checks.push_back(check(fixture,
                           {"items can be read while a sync is blocked in its sink",
                            "provider.hpp, \"A sink call may block\"",
                            "call the sink holding no lock, no permit and no open response"},
                           read_while_blocked));
    checks.push_back(check(
        fixture,
        {"a notification of a stranger is refused", "provider.hpp, ProviderSession::webhook()",
         "prove that it comes from the service, by a signature or a secret of "
         "the subscription, before anything else is done with it"},
        strangers));
    checks.push_back(
        {.promise = {"no secret appears in the log or in an error",
                     "host.hpp, LogField; error.hpp, Error::message",
                     "log ids, codes and counts; never the text of a request with its credentials"},
         .body = [fixture](Findings& findings) { secrecy(fixture, findings); }});
}

}  // namespace openarchiver::testkit::provider
