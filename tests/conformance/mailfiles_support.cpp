#include "mailfiles_support.hpp"

#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>

#include "plugin_library.hpp"

namespace openarchiver::tests {

namespace {

const std::vector<std::string> kUnknownIds = {"no-such-id",
                                              "mail/none.eml",
                                              "../../../../etc/passwd",
                                              "mail/../../secret.eml",
                                              "%2e%2e/x.eml",
                                              "%zz",
                                              "/",
                                              "mail//a.eml"};

}  // namespace

sdk::Provider& mailfiles() {
    return *built_plugin("mailfiles").provider();
}

sdk::Result<std::unique_ptr<sdk::ProviderSession>> Mail::open() {
    return mailfiles().open(config, host.services());
}

testkit::ProviderFixture Mail::fixture(std::vector<testkit::UpstreamChange> changes) {
    return {.open = [this] { return open(); },
            .changes = std::move(changes),
            .logger = &host.logger,
            .secrets = {},
            .unknown_items = kUnknownIds,
            .unknown_folders = kUnknownIds,
            .unknown_accounts = kUnknownIds};
}

std::map<std::string, sdk::Folder> folders_of(sdk::ProviderSession& session,
                                              const std::string& account) {
    Folders sink;
    const auto listing = session.list_folders(account, std::nullopt, sink, {});
    INFO(testkit::outcome_of(listing));
    REQUIRE(listing);
    CHECK(listing->complete);
    return sink.by_id;
}

void list_into(Items& sink, sdk::ProviderSession& session, const std::string& account,
               const std::string& folder) {
    const auto status = session.sync_folder(account, folder, std::nullopt, sink, {});
    INFO(testkit::outcome_of(status));
    REQUIRE(status);
}

std::vector<std::string> items_of(sdk::ProviderSession& session, const std::string& account,
                                  const std::string& folder) {
    Items sink;
    list_into(sink, session, account, folder);
    return sink.ids;
}

std::string read_item(sdk::ProviderSession& session, const std::string& account,
                      const std::string& item) {
    const auto reader = session.open_content(account, item, {});
    INFO(testkit::outcome_of(reader));
    REQUIRE(reader);
    const auto bytes = testkit::read_all(**reader);
    REQUIRE(bytes);
    return std::string(testkit::text_of(*bytes));
}

}  // namespace openarchiver::tests
