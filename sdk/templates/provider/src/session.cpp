#include "session.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace @IDENTIFIER@ {

namespace {

/// Raise it when the meaning of Cursor::value changes: cursors of another format are then expired,
/// and the engine lists everything anew.
constexpr std::uint32_t kCursorFormat = 1;
/// A cursor for every so many changes: a sync that is interrupted goes on from the last one.
constexpr std::size_t kPage = 100;

sdk::Error cancelled() {
    return {.code = sdk::Errc::cancelled, .message = "stopped"};
}

sdk::Error expired() {
    return {.code = sdk::Errc::cursor_expired, .message = "a cursor of another format"};
}

/// A content that is in memory already. For large ones, read from the service piece by piece.
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

sdk::Result<std::uint64_t> sequence_of(const std::optional<sdk::Cursor>& cursor) {
    std::uint64_t sequence = 0;
    if (cursor) {
        const std::string& text = cursor->value;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sequence);
        if (cursor->format != kCursorFormat || error != std::errc() ||
            end != text.data() + text.size()) {
            return expired();
        }
    }
    return sequence;
}

sdk::Cursor cursor_at(std::uint64_t sequence) {
    return {.format = kCursorFormat, .value = std::to_string(sequence)};
}

}  // namespace

sdk::SessionLimits Session::limits() const {
    // As much as the service likes to be asked at a time.
    return {.accounts_in_parallel = 4, .readers_per_account = 4};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    sdk::Check check{.name = "accounts listable"};
    if (const auto accounts = service_.accounts()) {
        check.outcome = sdk::CheckOutcome::pass;
        check.detail = std::to_string(accounts->size()) + " accounts";
    } else {
        check.outcome = sdk::CheckOutcome::fail;
        check.detail = accounts.error().message;
        check.remedy = "check the configuration, and that the service runs";
        check.code = accounts.error().code;
    }
    return std::vector{check};
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    if (cursor) {
        return expired();  // no cursors here: accounts are few, and listed in full each time
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_TRY(const auto accounts, service_.accounts());
    for (const std::string& name : accounts) {
        if (sink.account({.id = name, .address = name, .display_name = name}) ==
            sdk::Flow::stop) {
            return cancelled();
        }
    }
    return sdk::Listing{};
}

sdk::Result<sdk::FolderListing> Session::list_folders(const std::string& account_id,
                                                      const std::optional<sdk::Cursor>& cursor,
                                                      sdk::FolderSink& sink,
                                                      std::stop_token stop) {
    if (cursor) {
        return expired();
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_TRY(const auto folders, service_.folders(account_id));
    for (const std::string& name : folders) {
        if (sink.folder({.id = name, .display_name = name}) == sdk::Flow::stop) {
            return cancelled();
        }
    }
    return sdk::FolderListing{};
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    OPENARCHIVER_TRY(std::uint64_t sequence, sequence_of(cursor));
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_TRY(const auto changes, service_.changes(account_id, folder_id, sequence));
    std::size_t reported = 0;
    for (const Change& change : changes) {
        // The sink may block for long: nothing is held here, and the answer is looked at.
        const sdk::Flow flow =
            change.left ? sink.item_left(change.item)
                        : sink.item({.id = change.item,
                                     .content_tag = std::to_string(change.revision),
                                     .media_type = "text/plain"});
        if (flow == sdk::Flow::stop || stop.stop_requested()) {
            return cancelled();
        }
        sequence = change.sequence;
        // Only now: a cursor stands for all that was reported before it.
        if (++reported % kPage == 0 && sink.checkpoint(cursor_at(sequence)) == sdk::Flow::stop) {
            return cancelled();
        }
    }
    return sink.checkpoint(cursor_at(sequence)) == sdk::Flow::stop ? sdk::Status(cancelled())
                                                                  : sdk::Status();
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_TRY(std::string text, service_.content(account_id, item_id));
    return std::make_unique<TextReader>(std::move(text));
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_CHECK(service_.folders(account_id));
    return {};
}

}  // namespace @IDENTIFIER@
