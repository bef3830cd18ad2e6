#include "session.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <cstring>

#include "database.hpp"

// The ticket system's tables:
//
//     teams(id, name)
//     tickets(id, team, queue, revision, title, state, priority, due, text)   due: seconds, or 0
//     attachments(id, ticket, media_type, name, bytes)
//     places(team, folder, item, sequence, gone)    kept by the ticket system's triggers: which
//     item
//         is (or is no longer) in which folder, and the number of the last change to it there
//     forgotten(sequence)                           changes up to it can't be asked for any more
namespace tickets {

namespace {

constexpr std::uint32_t kCursorFormat = 1;
constexpr std::size_t kPage = 50;

sdk::Error cancelled() {
    return {.code = sdk::Errc::cancelled, .message = "stopped"};
}

sdk::Error not_found(const char* what) {
    return {.code = sdk::Errc::not_found, .message = std::string("there is no such ") + what};
}

sdk::Error expired() {
    return {.code = sdk::Errc::cursor_expired, .message = "changes since then are not known"};
}

std::int64_t number(const std::string& text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// Takes as long where the first character differs as where the last one does.
bool same(const std::string& given, const std::string& secret) {
    unsigned char difference = given.size() == secret.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        difference |= static_cast<unsigned char>(given[i] ^ secret[i % (secret.size() + 1)]);
    }
    return difference == 0;
}

class TextReader final : public sdk::ByteReader {
public:
    explicit TextReader(std::string text) : text_(std::move(text)) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        const std::size_t count = std::min(buffer.size(), text_.size() - position_);
        std::memcpy(buffer.data(), text_.data() + position_, count);
        position_ += count;
        return count;
    }

private:
    std::string text_;
    std::size_t position_ = 0;
};

/// A ticket or an attachment, as the listing tells of it.
sdk::Result<sdk::Item> describe(Database& database, const std::string& id) {
    if (id.starts_with("attachment-")) {
        OPENARCHIVER_TRY(const auto rows,
                         database.rows("SELECT ticket, media_type, name, length(bytes) FROM "
                                       "attachments WHERE id=?",
                                       {id}));
        if (rows.empty()) {
            return not_found("attachment");
        }
        return sdk::Item{.id = id,
                         .content_tag = "1",  // attachments never change here
                         .media_type = rows[0][1],
                         .size_hint = static_cast<std::uint64_t>(number(rows[0][3])),
                         .title = rows[0][2],
                         .properties = {{"ticket", rows[0][0]}}};
    }
    OPENARCHIVER_TRY(const auto rows,
                     database.rows("SELECT revision, title, state, priority, due FROM tickets "
                                   "WHERE id=?",
                                   {id}));
    if (rows.empty()) {
        return not_found("ticket");
    }
    const auto& row = rows[0];
    sdk::Item item{
        .id = id,
        .content_tag = row[0],
        .media_type = "application/json",
        .title = row[1],
        .properties = {
            {"state", row[2]}, {"priority", number(row[3])}, {"open", row[2] != "closed"}}};
    if (const std::int64_t due = number(row[4]); due != 0) {
        item.properties.push_back({"due", sdk::Timestamp(std::chrono::seconds(due))});
    }
    return item;
}

}  // namespace

sdk::SessionLimits Session::limits() const {
    return {.accounts_in_parallel = 2, .readers_per_account = 2};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    sdk::Check check{.name = "database readable", .outcome = sdk::CheckOutcome::pass};
    auto database = Database::open(database_);
    const auto teams = database ? database->rows("SELECT id FROM teams")
                                : sdk::Result<std::vector<Database::Row>>(database.error());
    if (teams) {
        check.detail = std::to_string(teams->size()) + " teams";
    } else {
        check.outcome = sdk::CheckOutcome::fail;
        check.code = teams.error().code;
        check.detail = teams.error().message;
        check.remedy = "check the path, and that the engine's user may read the file";
    }
    return std::vector{check};
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    if (cursor) {
        return expired();
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_TRY(auto database, Database::open(database_));
    OPENARCHIVER_TRY(const auto teams, database.rows("SELECT id, name FROM teams ORDER BY id"));
    for (const auto& team : teams) {
        if (sink.account({.id = team[0], .address = team[1], .display_name = team[1]}) ==
            sdk::Flow::stop) {
            return cancelled();
        }
    }
    return sdk::Listing{};
}

sdk::Result<sdk::FolderListing> Session::list_folders(const std::string& account_id,
                                                      const std::optional<sdk::Cursor>& cursor,
                                                      sdk::FolderSink& sink, std::stop_token stop) {
    if (cursor) {
        return expired();
    }
    OPENARCHIVER_CHECK(probe(account_id, stop));
    OPENARCHIVER_TRY(auto database, Database::open(database_));
    OPENARCHIVER_TRY(
        const auto folders,
        database.rows("SELECT DISTINCT folder FROM places WHERE team=? ORDER BY folder",
                      {account_id}));
    for (const auto& folder : folders) {
        if (sink.folder({.id = folder[0], .display_name = folder[0]}) == sdk::Flow::stop) {
            return cancelled();
        }
    }
    return sdk::FolderListing{};
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    if (cursor && cursor->format != kCursorFormat) {
        return expired();
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    std::string position = cursor ? cursor->value : "0";
    OPENARCHIVER_TRY(auto database, Database::open(database_));
    OPENARCHIVER_TRY(const auto known,
                     database.rows("SELECT 1 FROM places WHERE team=? AND folder=? LIMIT 1",
                                   {account_id, folder_id}));
    if (known.empty()) {
        return not_found("folder");
    }
    OPENARCHIVER_TRY(const auto forgotten, database.rows("SELECT sequence FROM forgotten"));
    if (cursor && !forgotten.empty() && number(position) < number(forgotten[0][0])) {
        return expired();
    }
    while (true) {
        // A page at a time: a queue may hold any number of tickets.
        OPENARCHIVER_TRY(
            const auto page,
            database.rows("SELECT item, sequence, gone FROM places WHERE team=? AND folder=? AND "
                          "sequence>CAST(? AS INTEGER) AND NOT (gone AND ?='0') ORDER BY sequence "
                          "LIMIT " +
                              std::to_string(kPage),
                          {account_id, folder_id, position, cursor ? "1" : "0"}));
        for (const auto& row : page) {
            sdk::Flow flow = sdk::Flow::proceed;
            if (row[2] != "0") {
                flow = sink.item_left(row[0]);
            } else if (const auto item = describe(database, row[0])) {
                flow = sink.item(*item);
            } else if (item.error().code == sdk::Errc::not_found) {
                flow = sink.item_failed(row[0], item.error());
            } else {
                return item.error();
            }
            if (flow == sdk::Flow::stop || stop.stop_requested()) {
                return cancelled();
            }
            position = row[1];
        }
        if (sink.checkpoint({.format = kCursorFormat, .value = position}) == sdk::Flow::stop) {
            return cancelled();
        }
        if (page.size() < kPage) {
            return {};
        }
    }
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    OPENARCHIVER_CHECK(probe(account_id, stop));
    OPENARCHIVER_TRY(auto database, Database::open(database_));
    if (item_id.starts_with("attachment-")) {
        OPENARCHIVER_TRY(const auto rows,
                         database.rows("SELECT bytes FROM attachments WHERE id=?", {item_id}));
        if (rows.empty()) {
            return not_found("attachment");
        }
        return std::make_unique<TextReader>(rows[0][0]);
    }
    OPENARCHIVER_TRY(
        const auto rows,
        database.rows("SELECT revision, queue, title, state, text FROM tickets WHERE id=?",
                      {item_id}));
    if (rows.empty()) {
        return not_found("ticket");
    }
    // The system has no bytes of a ticket: this is its form in the archive, the same each time.
    const auto& row = rows[0];
    return std::make_unique<TextReader>(
        boost::json::serialize(boost::json::object{{"id", item_id},
                                                   {"revision", number(row[0])},
                                                   {"queue", row[1]},
                                                   {"title", row[2]},
                                                   {"state", row[3]},
                                                   {"text", row[4]}}));
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_TRY(auto database, Database::open(database_));
    OPENARCHIVER_TRY(const auto rows,
                     database.rows("SELECT 1 FROM teams WHERE id=?", {account_id}));
    return rows.empty() ? sdk::Status(not_found("team")) : sdk::Status();
}

sdk::Result<sdk::WebhookAnswer> Session::webhook(const sdk::WebhookRequest& request,
                                                 std::stop_token) {
    const auto secret = host_.secrets.get("/notification_secret");
    if (!secret) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "no notification_secret is configured"};
    }
    for (const auto& [name, value] : request.headers) {
        if (name == "x-tickets-secret" && same(value, *secret)) {
            // Only a hint: the next run finds out what there is.
            host_.waker.changed(request.body);
            return sdk::WebhookAnswer{};
        }
    }
    return sdk::Error{.code = sdk::Errc::permission_denied,
                      .message = "a notification without the right secret"};
}

}  // namespace tickets
