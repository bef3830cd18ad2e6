#include "api/items.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "api/attachment_names.hpp"
#include "api/problem.hpp"
#include "archive/digest.hpp"
#include "archive/spool.hpp"
#include "catalog/item_matcher.hpp"
#include "export/time_filter.hpp"
#include "search/attachments.hpp"
#include "service/documents.hpp"
#include "service/item_document.hpp"
#include "service/proof_of_leaf.hpp"
#include "service/search_document.hpp"

namespace openarchiver::api {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

void keep_to_own(std::vector<std::string>& accounts, const Credential& caller) {
    if (caller.role != Role::account_holder) {
        return;
    }
    std::erase_if(accounts, [&](const std::string& asked) {
        return std::ranges::none_of(caller.accounts, [&](const std::string& own) {
            return catalog::is_named(own, own, asked);
        });
    });
    if (accounts.empty()) {
        accounts = caller.accounts;
    }
}

namespace {

constexpr std::uint64_t kLongestPage = 1000;
constexpr std::uint64_t kPage = 100;
constexpr std::uint64_t kSpoolInMemory = std::uint64_t{1} << 20;
constexpr std::size_t kPiece = std::size_t{256} << 10;

bool may_read(const Credential& caller, const catalog::VersionRecord& version) {
    return caller.role != Role::account_holder ||
           std::ranges::any_of(caller.accounts, [&](const std::string& name) {
               return catalog::is_named(version.account, version.address, name);
           });
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    return status == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                     : std::nullopt;
}

/// "ITEM.VERSION", as next_of() writes it.
std::optional<catalog::VersionPosition> position_from(std::string_view text) {
    const auto dot = text.find('.');
    const auto item = number(text.substr(0, dot));
    const auto version =
        dot == std::string_view::npos ? std::nullopt : number(text.substr(dot + 1));
    if (!item || !version) {
        return std::nullopt;
    }
    return catalog::VersionPosition{static_cast<std::int64_t>(*item),
                                    static_cast<std::int64_t>(*version)};
}

json::value item_value(const catalog::VersionRecord& r) {
    return {{"ref", r.ref},
            {"version", r.version},
            {"source", r.source},
            {"account", r.account},
            {"address", r.address},
            {"subject", r.subject},
            {"from", r.from},
            {"internet_message_id", r.message_id},
            {"received_at", service::time_value(r.received_at)},
            {"archived_at", service::time_value(r.archived_at)},
            {"left_at", service::time_value(r.left_at)},
            {"media_type", r.media_type},
            {"size", r.size},
            {"sha256", archive::to_hex(r.content)},
            {"fidelity", r.fidelity == catalog::Fidelity::exact ? "exact" : "reconstructed"}};
}

Result<catalog::ItemFilter> filter_of(const Request& request, const Credential& caller) {
    catalog::ItemFilter filter{.sources = request.values("source"),
                               .accounts = request.values("account"),
                               .folders = request.values("folder"),
                               .sender = request.value("sender")};
    if (caller.role == Role::account_holder && filter.accounts.empty()) {
        filter.accounts = caller.accounts;
    }
    if (const std::string since = request.value("since"); !since.empty()) {
        OPENARCHIVER_TRY(filter.since, exporter::parse_time(since));
    }
    if (const std::string until = request.value("until"); !until.empty()) {
        OPENARCHIVER_TRY(filter.until, exporter::parse_time(until));
    }
    return filter;
}

/// Those of an item that the caller may read; not_found: none.
Result<std::vector<catalog::VersionRecord>> versions_of(catalog::CatalogReader& catalog,
                                                        const Credential& caller,
                                                        const std::string& ref) {
    OPENARCHIVER_TRY(auto versions, catalog.versions(ref));
    if (!may_read(caller, versions.front())) {
        return Error{Errc::not_found, "no archived item has the ref '" + ref + "'"};
    }
    return versions;
}

/// The version that is asked for, or the newest one.
Result<catalog::VersionRecord> wanted_of(const std::vector<catalog::VersionRecord>& versions,
                                         const Request& request) {
    const std::string asked = request.value("version");
    if (asked.empty()) {
        return versions.back();
    }
    const auto wanted = number(asked);
    const auto found = std::ranges::find_if(versions, [&](const auto& one) {
        return wanted && static_cast<std::uint64_t>(one.version) == *wanted;
    });
    if (found == versions.end()) {
        return Error{Errc::not_found, "the item has no version \"" + asked + "\""};
    }
    return *found;
}

struct Content {
    catalog::VersionRecord version;
    std::shared_ptr<archive::Spool> bytes;  // shared with an answer, which is sent later
};

std::shared_ptr<archive::Spool> new_spool(const access::Context& context) {
    return std::make_shared<archive::Spool>(context.profile.archive.catalog_path / "spool",
                                            kSpoolInMemory);
}

/// The exact bytes of the version that is asked for, checked as a whole.
Result<Content> content_of(const access::Context& context, const Credential& caller,
                           const std::string& ref, const Request& request,
                           const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto catalog,
                     catalog::CatalogReader::open(context.profile.archive.catalog_path));
    OPENARCHIVER_TRY(const auto versions, versions_of(*catalog, caller, ref));
    Content content{.version = {}, .bytes = new_spool(context)};
    OPENARCHIVER_TRY(content.version, wanted_of(versions, request));
    OPENARCHIVER_TRY(const auto reader, access::ArchiveReader::open(context, stop));
    OPENARCHIVER_CHECK(reader->read(*catalog, content.version, *content.bytes, stop));
    OPENARCHIVER_CHECK(content.bytes->rewind());
    return content;
}

bool is_mail(const catalog::VersionRecord& version) {
    return version.media_type == "message/rfc822";
}

/// From where it stands.
Response sent(const std::shared_ptr<archive::Spool>& spool, std::string content_type) {
    Response response{.content_type = std::move(content_type)};
    response.length = spool->size();
    response.stream = [spool](sdk::ByteSink& sink, const std::stop_token& stopped) -> Status {
        std::vector<std::byte> piece(kPiece);
        while (!stopped.stop_requested()) {
            OPENARCHIVER_TRY(const std::size_t count, spool->read(piece));
            if (count == 0) {
                return {};
            }
            OPENARCHIVER_CHECK(sink.write(std::span<const std::byte>(piece).first(count)));
        }
        return Error{Errc::cancelled, "stopped"};
    };
    return response;
}

/// Taking attachments out needs a process with the whole message in its memory: not many at a time.
class Turn {
public:
    explicit Turn(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        taken_ = free_.wait_for(lock, stop, kPatience, [] { return at_a_time_ > 0; });
        at_a_time_ -= taken_ ? 1 : 0;
    }

    ~Turn() {
        if (taken_) {
            const std::lock_guard lock(mutex_);
            ++at_a_time_;
            free_.notify_one();
        }
    }

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    [[nodiscard]] Status taken() const {
        return taken_ ? Status() : Status(Error{Errc::unavailable, "too many ask: come back soon"});
    }

private:
    static constexpr std::chrono::seconds kPatience{20};

    static inline std::mutex mutex_;  // guards at_a_time_
    static inline std::condition_variable_any free_;
    static inline int at_a_time_ = 3;
    bool taken_ = false;
};

Result<std::string> page(const access::Context& context, const Credential& caller,
                         const Request& request) {
    OPENARCHIVER_TRY(const auto filter, filter_of(request, caller));
    const std::string asked = request.value("limit");
    const auto limit = asked.empty() ? std::optional(kPage) : number(asked);
    const std::string after = request.value("after");
    const auto start =
        after.empty() ? std::optional(catalog::VersionPosition{}) : position_from(after);
    if (!limit || *limit == 0 || *limit > kLongestPage || !start) {
        return Error{
            Errc::invalid_argument,
            "\"limit\" is a number from 1 to 1000, \"after\" the \"next\" of a page before"};
    }
    OPENARCHIVER_TRY(const auto catalog,
                     catalog::CatalogReader::open(context.profile.archive.catalog_path));
    json::array items;
    json::value next = nullptr;
    catalog::VersionPosition last;
    const Status visited = catalog->visit_versions(
        filter,
        [&](const catalog::VersionRecord& version) -> Status {
            if (!may_read(caller, version)) {
                return {};
            }
            if (items.size() == *limit) {
                next = std::to_string(last.item) + "." + std::to_string(last.version);
                return Error{Errc::cancelled, "the page is full"};
            }
            items.push_back(item_value(version));
            last = {version.item_key, version.version};
            return {};
        },
        *start);
    if (!visited && next.is_null()) {
        return visited.error();
    }
    return json::serialize(json::object{{"items", std::move(items)}, {"next", std::move(next)}});
}

Result<std::string> found(const access::Context& context, const Credential& caller,
                          const Request& request) {
    search::Request wanted{.query = request.value("q"),
                           .recipient = request.value("recipient"),
                           .has_attachment = request.value("has_attachment") == "true",
                           .conversation = request.value("conversation")};
    OPENARCHIVER_TRY(wanted.filter, filter_of(request, caller));
    keep_to_own(wanted.filter.accounts, caller);
    const auto limit = number(request.value("limit").empty() ? "50" : request.value("limit"));
    const auto offset = number(request.value("offset").empty() ? "0" : request.value("offset"));
    const std::string order = request.value("order");
    if (!limit || *limit == 0 || *limit > kLongestPage || !offset ||
        (!order.empty() && order != "newest" && order != "relevance")) {
        return Error{Errc::invalid_argument,
                     "\"limit\" is a number from 1 to 1000, \"offset\" a number, \"order\" "
                     "newest or relevance"};
    }
    const auto& folder = context.profile.archive.catalog_path;
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(folder));
    OPENARCHIVER_TRY(const auto search, search::Search::open(folder, *catalog, wanted));
    OPENARCHIVER_TRY(
        const auto page,
        search->page(order == "relevance" ? search::Order::relevance : search::Order::newest_first,
                     *offset, *limit));
    OPENARCHIVER_TRY(const auto coverage, search->coverage());
    json::value counts = nullptr;
    if (request.value("counts") == "true") {
        OPENARCHIVER_TRY(const auto counted, search->counts());
        counts = service::counts_value(counted);
    }
    service::ItemFolders folders(*catalog);
    json::array hits;
    for (const auto& hit : page.hits) {
        OPENARCHIVER_TRY(auto value, service::hit_value(hit, folders));
        hits.push_back(std::move(value));
    }
    return json::serialize(json::object{{"hits", std::move(hits)},
                                        {"summary",
                                         {{"more", page.more},
                                          {"ranked_newest_only", page.partial},
                                          {"counts", std::move(counts)},
                                          {"coverage", service::coverage_value(coverage)}}}});
}

}  // namespace

Response list_items(const access::Context& context, const Credential& caller,
                    const Request& request) {
    auto document = page(context, caller, request);
    return document ? Response{.body = std::move(*document)} : problem(document.error());
}

Response search_items(const access::Context& context, const Credential& caller,
                      const Request& request) {
    const auto document = found(context, caller, request);
    return document ? Response{.body = *document} : problem(document.error());
}

Response show_item(const access::Context& context, const Credential& caller,
                   const std::string& ref) {
    const auto document = [&]() -> Result<std::string> {
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(context.profile.archive.catalog_path));
        OPENARCHIVER_CHECK(versions_of(*catalog, caller, ref));
        OPENARCHIVER_TRY(const auto item, service::load_item(*catalog, ref));
        return service::item_document(item);
    }();
    return document ? Response{.body = *document} : problem(document.error());
}

Response prove_item(const access::Context& context, const Credential& caller,
                    const std::string& ref, const Request& request, std::stop_token stop) {
    const auto proof = [&]() -> Result<evidence::Proof> {
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(context.profile.archive.catalog_path));
        OPENARCHIVER_TRY(const auto versions, versions_of(*catalog, caller, ref));
        OPENARCHIVER_TRY(const auto version, wanted_of(versions, request));
        OPENARCHIVER_TRY(const auto leaf, catalog->leaf_of(version.item_key, version.version));
        OPENARCHIVER_TRY(const auto reader, access::ArchiveReader::open(context, stop));
        return service::prove_leaf(reader->archive(), *catalog, leaf, &version, stop);
    }();
    return proof ? Response{.body = evidence::to_json(*proof)} : problem(proof.error());
}

Response raw_item(const access::Context& context, const Credential& caller, const std::string& ref,
                  const Request& request, std::stop_token stop) {
    const auto content = content_of(context, caller, ref, request, stop);
    if (!content) {
        return problem(content.error());
    }
    Response response = sent(content->bytes, content->version.media_type);
    response.fields.emplace_back("Content-Disposition", "attachment");
    response.fields.emplace_back("ETag", "\"" + archive::to_hex(content->version.content) + "\"");
    return response;
}

Response list_attachments(const access::Context& context, const Credential& caller,
                          const std::string& ref, const Request& request, std::stop_token stop) {
    const auto document = [&]() -> Result<std::string> {
        OPENARCHIVER_TRY(const auto content, content_of(context, caller, ref, request, stop));
        search::Attachments attachments;
        if (is_mail(content.version)) {
            const Turn turn(stop);
            OPENARCHIVER_CHECK(turn.taken());
            OPENARCHIVER_TRY(attachments, search::list_attachments(*content.bytes, stop));
        }
        json::array list;
        for (const auto& one : attachments.list) {
            list.push_back({{"number", one.number},
                            {"name", one.name},
                            {"file_name", file_name_of(one)},
                            {"media_type", one.media_type},
                            {"disposition", one.disposition},
                            {"content_id", one.content_id},
                            {"size", one.size}});
        }
        return json::serialize(json::object{{"ref", ref},
                                            {"version", content.version.version},
                                            {"attachments", std::move(list)},
                                            {"complete", attachments.complete}});
    }();
    return document ? Response{.body = *document} : problem(document.error());
}

Response attachment(const access::Context& context, const Credential& caller,
                    const std::string& ref, const std::string& wanted, const Request& request,
                    std::stop_token stop) {
    const auto spool = new_spool(context);
    const auto found = [&]() -> Result<search::Attachment> {
        OPENARCHIVER_TRY(const auto content, content_of(context, caller, ref, request, stop));
        const auto place = number(wanted);
        if (!place || *place > UINT32_MAX || !is_mail(content.version)) {
            return Error{Errc::not_found, "the item has no attachment \"" + wanted + "\""};
        }
        const Turn turn(stop);
        OPENARCHIVER_CHECK(turn.taken());
        OPENARCHIVER_TRY(auto one,
                         search::read_attachment(*content.bytes, static_cast<std::uint32_t>(*place),
                                                 *spool, stop));
        OPENARCHIVER_CHECK(spool->rewind());
        return one;
    }();
    if (!found) {
        return problem(found.error());
    }
    Response response = sent(spool, media_type_of(*found));
    response.fields.emplace_back("Content-Disposition", content_disposition(file_name_of(*found)));
    // A stranger made it: whoever opens it in a browser all the same lets it do nothing.
    response.fields.emplace_back("Content-Security-Policy", "sandbox; default-src 'none'");
    return response;
}

}  // namespace openarchiver::api
