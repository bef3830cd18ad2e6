#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <openarchiver/sdk/plugin.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

/// A provider whose service behaves as a file says, read anew at each call:
///
///     items 5            five items in the one folder of the one account
///     corrupt 3          item 3 can't be fetched
///     discover unavailable   discovery fails with this code
///     check unauthenticated  the preflight fails with this code
///     delay_ms 200       each fetch takes so long
///     hang               syncing does not come back, whatever the stop token says
///     throw              syncing throws an exception
///     crash              syncing ends the process
///     flood              an item with a title of 64 MiB
///     lie                sizes are not what they are said to be, and reads return too much
///     wake               a thread tells of news all the time
///     log                syncing logs a million lines
///     leak               a counter of another name at each of a million turns
namespace openarchiver::troubled {

namespace {

using sdk::Errc;
using sdk::Error;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": { "script": { "type": "string", "title": "The file that says how to behave" } },
  "required": ["script"],
  "additionalProperties": false
})";

struct Script {
    int items = 0;
    std::set<int> corrupt;
    std::string discover;
    std::string check;
    int delay_ms = 0;
    bool hang = false;
    bool throws = false;
    bool crash = false;
    bool flood = false;
    bool lie = false;
    bool wake = false;
    bool log = false;
    bool leak = false;
};

Script read_script(const std::string& file) {
    Script script;
    std::ifstream lines(file);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string what;
        words >> what;
        if (what == "items") {
            words >> script.items;
        } else if (what == "corrupt") {
            int item = 0;
            words >> item;
            script.corrupt.insert(item);
        } else if (what == "discover") {
            words >> script.discover;
        } else if (what == "check") {
            words >> script.check;
        } else if (what == "delay_ms") {
            words >> script.delay_ms;
        } else if (what == "hang") {
            script.hang = true;
        } else if (what == "throw") {
            script.throws = true;
        } else if (what == "crash") {
            script.crash = true;
        } else if (what == "flood") {
            script.flood = true;
        } else if (what == "lie") {
            script.lie = true;
        } else if (what == "wake") {
            script.wake = true;
        } else if (what == "log") {
            script.log = true;
        } else if (what == "leak") {
            script.leak = true;
        }
    }
    return script;
}

Errc code_of(const std::string& name) {
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        if (sdk::to_string(static_cast<Errc>(code)) == name) {
            return static_cast<Errc>(code);
        }
    }
    return Errc::internal;
}

Error scripted(const std::string& code) {
    return {.code = code_of(code), .message = "the script says " + code, .request_id = "req-1"};
}

class TextReader final : public sdk::ByteReader {
public:
    TextReader(std::string text, bool lies) : text_(std::move(text)), lies_(lies) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        if (lies_) {
            return buffer.size() + 1'000'000;
        }
        const std::size_t count = std::min(buffer.size(), text_.size() - position_);
        std::memcpy(buffer.data(), text_.data() + position_, count);
        position_ += count;
        return count;
    }

private:
    std::string text_;
    bool lies_;
    std::size_t position_ = 0;
};

class Session final : public sdk::ProviderSession {
public:
    Session(std::string script, const sdk::HostServices& host)
        : script_(std::move(script)),
          logger_(host.logger),
          metrics_(host.metrics),
          waker_(host.waker) {
        if (read_script(script_).wake) {
            news_ = std::jthread([&waker = host.waker](const std::stop_token& stop) {
                while (!stop.stop_requested()) {
                    waker.changed("account-1");
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
                }
            });
        }
    }

    [[nodiscard]] sdk::SessionLimits limits() const override { return {}; }

    sdk::Result<std::vector<sdk::Check>> check(std::stop_token) override {
        const Script script = read_script(script_);
        std::vector<sdk::Check> checks(2);
        checks[0].name = "script readable";
        checks[0].outcome = sdk::CheckOutcome::unknown;
        checks[1].name = "service reachable";
        checks[1].outcome = sdk::CheckOutcome::pass;
        if (!script.check.empty()) {
            checks[1].outcome = sdk::CheckOutcome::fail;
            checks[1].code = code_of(script.check);
            checks[1].detail = "the script says " + script.check;
            checks[1].remedy = "change the script";
        }
        return checks;
    }

    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>&, sdk::AccountSink& sink,
                                       std::stop_token) override {
        const Script script = read_script(script_);
        if (!script.discover.empty()) {
            return scripted(script.discover);
        }
        sdk::Account account;
        account.id = "account-1";
        account.address = "ada@example.org";
        account.display_name = "Ada";
        if (sink.account(account) == sdk::Flow::stop) {
            return Error{.code = Errc::cancelled, .message = "stopped"};
        }
        return sdk::Listing{};
    }

    sdk::Result<sdk::FolderListing> list_folders(const std::string&,
                                                 const std::optional<sdk::Cursor>&,
                                                 sdk::FolderSink& sink, std::stop_token) override {
        sdk::Folder folder;
        folder.id = "folder-1";
        folder.display_name = "Inbox";
        if (sink.folder(folder) == sdk::Flow::stop) {
            return Error{.code = Errc::cancelled, .message = "stopped"};
        }
        return sdk::FolderListing{};
    }

    sdk::Status sync_folder(const std::string&, const std::string&,
                            const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                            std::stop_token) override {
        while (read_script(script_).hang) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        const Script script = read_script(script_);
        if (script.throws) {
            throw std::runtime_error("this was not thought of");
        }
        if (script.crash) {
            std::raise(SIGSEGV);
        }
        for (int i = 0; script.log && i < 1'000'000; ++i) {
            logger_.log(sdk::LogLevel::warning, "and another thing",
                        {{"number", std::to_string(i)}});
        }
        for (int i = 0; script.leak && i < 1'000'000; ++i) {
            metrics_.add("item_" + std::to_string(i), 1);
        }
        const int known = cursor ? std::stoi(cursor->value) : 0;
        for (int i = known + 1; i <= script.items; ++i) {
            sdk::Item item;
            item.id = "item-" + std::to_string(i);
            item.content_tag = "1";
            item.title = std::string(script.flood ? 64U << 20U : 0U, 'x');
            if (script.lie) {
                item.size_hint = UINT64_MAX;
            }
            if (sink.item(item) == sdk::Flow::stop) {
                return Error{.code = Errc::cancelled, .message = "stopped"};
            }
        }
        if (sink.checkpoint({.format = 1, .value = std::to_string(script.items)}) ==
            sdk::Flow::stop) {
            return Error{.code = Errc::cancelled, .message = "stopped"};
        }
        return {};
    }

    sdk::Result<std::unique_ptr<sdk::ByteReader>> open_content(const std::string&,
                                                               const std::string& item_id,
                                                               std::stop_token) override {
        const Script script = read_script(script_);
        std::this_thread::sleep_for(std::chrono::milliseconds(script.delay_ms));
        if (script.corrupt.contains(std::stoi(item_id.substr(item_id.find('-') + 1)))) {
            return scripted("corrupt");
        }
        return std::make_unique<TextReader>(
            "From: ada@example.org\r\nSubject: " + item_id + "\r\n\r\nHello.\r\n", script.lie);
    }

    sdk::Status probe(const std::string&, std::stop_token) override { return {}; }

    /// The secret is "open sesame"; a question is answered with what it asks; news are of the
    /// body's account.
    sdk::Result<sdk::WebhookAnswer> webhook(const sdk::WebhookRequest& request,
                                            std::stop_token stop) override {
        if (request.query == "hang") {
            while (!stop.stop_requested()) {
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
            }
            return Error{.code = Errc::cancelled, .message = "stopped"};
        }
        if (request.query == "split") {
            return sdk::WebhookAnswer{.media_type = "text/plain\r\nX-Injected: yes"};
        }
        if (request.method == "GET") {
            return sdk::WebhookAnswer{
                .status = 200, .media_type = "text/plain", .body = request.query};
        }
        for (const auto& [name, value] : request.headers) {
            if (name == "x-secret" && value == "open sesame") {
                waker_.changed(request.body.size() < 100 ? request.body : std::string());
                return sdk::WebhookAnswer{.status = 202};
            }
        }
        return Error{.code = Errc::permission_denied, .message = "the secret is wrong"};
    }

private:
    std::string script_;
    sdk::Logger& logger_;
    sdk::Metrics& metrics_;
    sdk::Waker& waker_;
    std::jthread news_;
};

class TroubledProvider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        // {"script":"PATH"}, as the schema has made sure; the path has no quotes in it.
        const std::string text(config_json);
        const std::size_t end = text.rfind('"');
        const std::size_t begin = text.rfind('"', end - 1) + 1;
        return std::make_unique<Session>(text.substr(begin, end - begin), host);
    }
};

class TroubledPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "troubled", .version = "1", .title = "Troubled service"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    TroubledProvider provider_;
};

}  // namespace

}  // namespace openarchiver::troubled

OPENARCHIVER_PLUGIN(openarchiver::troubled::TroubledPlugin);
