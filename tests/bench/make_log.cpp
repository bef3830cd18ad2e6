// Makes an archive whose log tells of many items, for measuring `rebuild`:
//   make-log ROOT KEY_FILE ITEMS
// The packs that it names are not there: rebuild reads segments only. Ids, subjects and sizes are
// as long as those of Microsoft 365 are.
#include <charconv>
#include <iostream>
#include <openarchiver/testkit/host_fixture.hpp>
#include <random>

#include "archive/archive.hpp"
#include "archive/random.hpp"
#include "catalog/event.hpp"
#include "plugin_library.hpp"

using namespace openarchiver;

namespace {

constexpr std::uint64_t kItemsInSegment = 1000;
constexpr std::uint64_t kAccounts = 200;
constexpr int kFolders = 10;

std::mt19937_64 generator(1);

std::string random_text(std::size_t size) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text(size, '\0');
    for (auto& c : text) {
        c = kAlphabet[generator() & 63U];
    }
    return text;
}

archive::Digest random_digest() {
    archive::Digest digest;
    for (auto& byte : digest) {
        byte = static_cast<std::byte>(generator());
    }
    return digest;
}

catalog::EventGroup items_of(std::uint64_t account, std::uint64_t count,
                             const archive::Digest& pack, sdk::Timestamp now) {
    catalog::EventGroup group{"contoso", "account-" + std::to_string(account), {}};
    const std::string folder = "folder-" + std::to_string(generator() % kFolders);
    group.events.push_back({now, catalog::FolderSeen{{.id = folder, .display_name = folder}}});
    const std::string prefix = "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZi" + random_text(60);
    for (std::uint64_t i = 0; i < count; ++i) {
        catalog::ItemArchived item;
        item.item = prefix + random_text(56);
        item.content_tag = random_text(40);
        item.media_type = "message/rfc822";
        item.folder = folder;
        item.content = random_digest();
        item.size = 10'000 + generator() % 100'000;
        item.place.pack = pack;
        item.place.placement = {.frame = static_cast<std::uint32_t>(i / 20),
                                .offset = i % 20 * 5000};
        item.received_at = now;
        item.message_id = "<" + random_text(40) + "@contoso.example>";
        item.subject = "Subject " + random_text(30);
        item.from = random_text(10) + "@contoso.example";
        group.events.push_back({now, std::move(item)});
    }
    group.events.push_back(
        {now, catalog::CursorAdvanced{catalog::CursorScope::folder, folder,
                                      sdk::Cursor{1, "https://graph/" + random_text(120)}}});
    return group;
}

sdk::Status make(const char* root, const char* key_file, std::uint64_t items) {
    testkit::HostFixture host;
    OPENARCHIVER_TRY(auto store,
                     tests::built_plugin("filesystem")
                         .storage_backend()
                         ->open(R"({"root": ")" + std::string(root) + "\"}", host.services(), {}));
    OPENARCHIVER_TRY(const auto key, archive::create_master_key(key_file));
    const auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    OPENARCHIVER_TRY(auto archive,
                     archive::Archive::create(std::move(store), key, std::nullopt, now, {}));
    auto& keyring = archive->keyring();
    for (std::uint64_t account = 0; account < kAccounts; ++account) {
        static_cast<void>(keyring.account_key("contoso", "account-" + std::to_string(account)));
    }
    OPENARCHIVER_CHECK(archive->save_keyring({}));
    archive::LogPosition position;
    for (std::uint64_t made = 0; made < items; made += kItemsInSegment) {
        archive::PackInfo pack{.id = random_digest(), .size = 16U << 20, .frames = {}};
        const std::uint64_t first = generator() % kAccounts;
        std::vector<archive::EventBlock> blocks(1);
        for (std::uint64_t part = 0; part < 4; ++part) {
            const std::uint64_t account = (first + part) % kAccounts;
            const auto account_key =
                keyring.account_key("contoso", "account-" + std::to_string(account));
            for (std::uint64_t frame = 0; frame < 13; ++frame) {
                pack.frames.push_back({.key = account_key.id,
                                       .offset = frame << 20U,
                                       .stored_size = 1U << 19,
                                       .raw_size = 1U << 20});
            }
            blocks.push_back({account_key, catalog::encode(items_of(account, kItemsInSegment / 4,
                                                                    pack.id, now))});
        }
        blocks.front() = {keyring.archive_key(),
                          catalog::encode({"", "", {{now, catalog::PackStored{std::move(pack)}}}})};
        OPENARCHIVER_TRY(position, archive->log().append("benchbenchbench1", position,
                                                         std::move(blocks), now, {}));
    }
    return {};
}

}  // namespace

int main(int argument_count, char** arguments) {
    std::uint64_t items = 0;
    if (argument_count == 4) {
        const std::string_view text = arguments[3];
        std::from_chars(text.data(), text.data() + text.size(), items);
    }
    if (items == 0) {
        std::cerr << "make-log ROOT KEY_FILE ITEMS\n";
        return 2;
    }
    if (const auto made = make(arguments[1], arguments[2], items); !made) {
        std::cerr << made.error().message << '\n';
        return 1;
    }
    return 0;
}
