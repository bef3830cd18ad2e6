#include "store.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <openarchiver/sdk/object_key.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "digest.hpp"
#include "documents.hpp"
#include "http/base64.hpp"
#include "http/failure.hpp"

namespace openarchiver::s3 {

namespace {

using http::cancelled;
using sdk::Errc;
using sdk::Error;

/// The most that S3 takes in one PUT.
constexpr std::uint64_t kLargestPut = std::uint64_t{5} << 30U;
/// No object of S3 is larger.
constexpr std::uint64_t kLargestObject = std::uint64_t{5} << 40U;
constexpr std::uint32_t kParallelism = 8;
constexpr std::size_t kPiece = 256 * 1024;
constexpr std::string_view kReplaced = "Replaced";
constexpr std::string_view kCompliance = "COMPLIANCE";
/// Capital letters: no key of the contract, so that no listing shows it.
constexpr std::string_view kProbe = "OpenArchiver-if-none-match";

std::string base64_of(std::span<const std::byte> bytes) {
    return http::encode_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

bool succeeded(const http::HttpResponse& response) {
    return response.head().status >= 200 && response.head().status < 300;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    return status == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                     : std::nullopt;
}

/// "bytes 0-99/1000"
struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t size = 0;
};

std::optional<ContentRange> parse_content_range(std::string_view text) {
    constexpr std::string_view kUnit = "bytes ";
    const std::size_t dash = text.find('-');
    const std::size_t slash = text.find('/');
    if (!text.starts_with(kUnit) || dash == std::string_view::npos ||
        slash == std::string_view::npos || dash > slash) {
        return std::nullopt;
    }
    const auto first = number(text.substr(kUnit.size(), dash - kUnit.size()));
    const auto last = number(text.substr(dash + 1, slash - dash - 1));
    const auto size = number(text.substr(slash + 1));
    if (!first || !last || !size || *first > *last || *last >= *size) {
        return std::nullopt;
    }
    return ContentRange{*first, *last, *size};
}

std::string range_field(const sdk::Range& range) {
    return "bytes=" + std::to_string(range.offset) + "-" +
           (range.length ? std::to_string(range.offset + *range.length - 1) : "");
}

bool reaches_beyond(const sdk::Range& range, std::uint64_t size) {
    return range.offset > size || (range.length && *range.length > size - range.offset);
}

Error beyond(std::string_view key, std::uint64_t size) {
    return {Errc::invalid_argument, "the range asked of object " + std::string(key) +
                                        " reaches beyond its " + std::to_string(size) + " bytes"};
}

struct Digests {
    std::vector<std::byte> sha256;
    /// Empty where this machine refuses to make any.
    std::vector<std::byte> md5;
};

/// Of all bytes of the source, which is at its first byte again afterwards.
sdk::Result<Digests> digests_of(sdk::ByteSource& source, const std::stop_token& stop) {
    Digest sha256(Digest::Kind::sha256);
    std::optional<Digest> md5;
    try {
        md5.emplace(Digest::Kind::md5);
    } catch (const std::runtime_error&) {
        md5.reset();
    }
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::clamp<std::uint64_t>(source.size(), 1, kPiece)));
    std::uint64_t size = 0;
    while (true) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::size_t count, source.read(buffer));
        size += count;
        if (count == 0 || size > source.size()) {
            break;
        }
        const auto bytes = std::span<const std::byte>(buffer).first(count);
        sha256.update(bytes);
        if (md5) {
            md5->update(bytes);
        }
    }
    if (size != source.size()) {
        return Error{Errc::invalid_argument,
                     "the source of an object announced " + std::to_string(source.size()) +
                         " bytes and had " +
                         (size > source.size() ? "more" : std::to_string(size))};
    }
    OPENARCHIVER_CHECK(source.rewind());
    return Digests{sha256.finish(), md5 ? md5->finish() : std::vector<std::byte>()};
}

class DigestSink final : public sdk::ByteSink {
public:
    sdk::Status write(std::span<const std::byte> bytes) override {
        digest.update(bytes);
        return {};
    }

    Digest digest{Digest::Kind::sha256};
};

class TextSource final : public sdk::ByteSource {
public:
    explicit TextSource(std::string_view text) : text_(text) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        const auto piece = std::as_bytes(std::span(text_.substr(position_, buffer.size())));
        std::ranges::copy(piece, buffer.begin());
        position_ += piece.size();
        return piece.size();
    }

    [[nodiscard]] std::uint64_t size() const override { return text_.size(); }

    sdk::Status rewind() override {
        position_ = 0;
        return {};
    }

private:
    std::string_view text_;
    std::size_t position_ = 0;
};

/// What a read met was being removed, since another version is there.
Error replaced_meanwhile(const Call& call) {
    Error error{Errc::unavailable,
                "can't " + call.action + " the store: it was replaced each time"};
    error.service_code = kReplaced;
    return error;
}

/// Nothing has been delivered by a call that fails so.
template <typename Once>
auto again_if_replaced(const Once& once) {
    constexpr int kTries = 5;
    auto result = once();
    for (int tries = 1; tries < kTries && !result && result.error().service_code == kReplaced;
         ++tries) {
        result = once();
    }
    return result;
}

/// Writes the answer's body, which has to be of exactly that size, to the sink.
sdk::Status deliver(http::HttpResponse& response, std::uint64_t size, sdk::ByteSink& sink,
                    const std::stop_token& stop) {
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 1, kPiece)));
    std::uint64_t delivered = 0;
    while (true) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::size_t count, response.read(buffer));
        if (count == 0) {
            break;
        }
        delivered += count;
        if (delivered > size) {
            return Error{Errc::unavailable, "the store sent more bytes than it announced"};
        }
        OPENARCHIVER_CHECK(sink.write(std::span<const std::byte>(buffer).first(count)));
    }
    if (delivered != size) {
        return Error{Errc::unavailable, "the store sent " + std::to_string(delivered) + " of " +
                                            std::to_string(size) + " bytes"};
    }
    return {};
}

}  // namespace

sdk::Result<std::unique_ptr<sdk::ObjectStore>> Store::open(Settings settings,
                                                           const sdk::HostServices& host,
                                                           const std::stop_token& stop) {
    std::unique_ptr<Store> store(new Store(std::move(settings), host));
    OPENARCHIVER_CHECK(store->check_bucket(stop));
    OPENARCHIVER_CHECK(store->check_versions(stop));
    OPENARCHIVER_CHECK(store->check_object_lock(stop));
    OPENARCHIVER_CHECK(store->probe_if_absent(stop));
    return store;
}

std::string Store::object_of(std::string_view key) const {
    return client_.settings().prefix + std::string(key);
}

sdk::Status Store::check_bucket(const std::stop_token& stop) {
    const Call call{
        .action = "list",
        .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", client_.settings().prefix}}};
    OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
    if (!succeeded(*response)) {
        return client_.error(call, *response);
    }
    OPENARCHIVER_CHECK(client_.read_page(call, *response));
    return {};
}

/// A user who may not ask, or a store that has no versions: they are not there, as far as we care.
sdk::Status Store::check_versions(const std::stop_token& stop) {
    const Call call{.action = "ask for the versioning of", .query = {{"versioning", ""}}};
    OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
    if (!succeeded(*response)) {
        const Error error = client_.error(call, *response);
        return sdk::is_retryable(error.code) ? sdk::Status(error) : sdk::Status();
    }
    OPENARCHIVER_TRY(const std::string page, client_.read_page(call, *response));
    versions_ = has_versions(page);
    return {};
}

sdk::Status Store::check_object_lock(const std::stop_token& stop) {
    const bool wanted = client_.settings().object_lock != ObjectLock::none;
    if (!versions_ && !wanted) {
        return {};
    }
    const Call call{.action = "ask for the Object Lock of", .query = {{"object-lock", ""}}};
    OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
    LockConfiguration lock;
    if (succeeded(*response)) {
        OPENARCHIVER_TRY(const std::string page, client_.read_page(call, *response));
        lock = parse_lock_configuration(page);
    } else if (const Error error = client_.error(call, *response);
               sdk::is_retryable(error.code) || (wanted && error.code == Errc::permission_denied)) {
        return error;
    }
    if (wanted && (!lock.enabled || !versions_)) {
        return Error{Errc::invalid_config,
                     client_.settings().place() +
                         " has no Object Lock, and object_lock asks for it: make a bucket with it "
                         "(aws s3api create-bucket --object-lock-enabled-for-bucket) and name that "
                         "one, or leave object_lock out"};
    }
    if (lock.default_retention) {
        return Error{Errc::invalid_config,
                     client_.settings().place() +
                         " locks everything that is put into it (a default retention), also what "
                         "has to be replaced every few seconds: take the default retention away "
                         "(aws s3api put-object-lock-configuration --object-lock-configuration "
                         "ObjectLockEnabled=Enabled) and set object_lock, so that the right "
                         "objects are locked for the right time"};
    }
    return {};
}

/// Makes one object that stays: who asks for it to be made again has to be refused.
sdk::Status Store::probe_if_absent(const std::stop_token& stop) {
    TextSource nothing("");
    const Call call{.action = "try If-None-Match on",
                    .method = "PUT",
                    .object = object_of(kProbe),
                    .fields = {{"if-none-match", "*"}},
                    .source = &nothing};
    for (int attempt = 0; attempt < 2; ++attempt) {
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        if (succeeded(*response)) {
            const std::string version(response->head().field("x-amz-version-id"));
            response->read_error_text();
            if (versions_) {
                OPENARCHIVER_CHECK(remove_older(kProbe, version, stop));
            }
            continue;
        }
        const Error error = client_.error(call, *response);
        switch (error.code) {
            case Errc::already_exists:
            case Errc::permission_denied:   // good for reading; whoever writes is told
            case Errc::resource_exhausted:  // likewise
                return {};
            case Errc::unsupported:
                if_absent_ = false;
                return {};
            default:
                return error;
        }
    }
    if_absent_ = false;
    return {};
}

sdk::StorageCapabilities Store::capabilities() const {
    const bool locks = client_.settings().object_lock != ObjectLock::none;
    return {.put_if_absent = if_absent_ || (versions_ && client_.settings().single_writer),
            .max_object_bytes = kLargestPut,
            .parallelism = kParallelism,
            .lock = locks,
            .hold = locks};
}

sdk::Status Store::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                       std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        const bool in_turn = mode == sdk::PutMode::if_absent && !if_absent_;
        if (in_turn && !capabilities().put_if_absent) {
            return Error{Errc::unsupported,
                         client_.settings().place() +
                             " ignores If-None-Match, so that two engines could write the same "
                             "archive without noticing; use a store that keeps to it" +
                             (versions_ ? ", or set single_writer, where you can vouch that one "
                                          "engine alone will ever write to it"
                                        : "")};
        }
        if (in_turn) {
            const auto there = stat(key, stop);
            if (there) {
                return Error{Errc::already_exists,
                             "there is an object " + std::string(key) + " already"};
            }
            if (there.error().code != Errc::not_found) {
                return there.error();
            }
        }
        if (source.size() > kLargestPut) {
            return Error{Errc::invalid_argument, "the object " + std::string(key) +
                                                     " is larger than the 5 GiB that S3 takes"};
        }
        OPENARCHIVER_TRY(const Digests digests, digests_of(source, stop));
        Call call{.action = "store the object " + std::string(key) + " in",
                  .method = "PUT",
                  .object = object_of(key),
                  .fields = {{"content-type", "application/octet-stream"}},
                  .source = &source,
                  .payload_sha256 = to_hex(digests.sha256)};
        if (!digests.md5.empty()) {
            // Buckets with a default retention insist on it.
            call.fields.emplace_back("content-md5", base64_of(digests.md5));
        }
        if (mode == sdk::PutMode::if_absent && if_absent_) {
            call.fields.emplace_back("if-none-match", "*");
        }
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        if (!succeeded(*response)) {
            return client_.error(call, *response);
        }
        const std::string etag(response->head().field("ETag"));
        const std::string version(response->head().field("x-amz-version-id"));
        response->read_error_text();
        if (in_turn) {
            OPENARCHIVER_CHECK(put_in_turn(key, version, stop));
        }
        if (etag_is_md5_ && !digests.md5.empty() && etag != "\"" + to_hex(digests.md5) + "\"") {
            OPENARCHIVER_CHECK(check_stored(key, etag, call.payload_sha256, stop));
        }
        return versions_ && mode == sdk::PutMode::replace ? remove_older(key, version, stop)
                                                          : sdk::Status();
    });
}

/// If-absent creation where the store does not decide it: an object that came before counts, and
/// the versions tell which did. Whoever lost takes his own away. Nobody may read it in between,
/// and a put that lands late is not noticed: hence single_writer.
sdk::Status Store::put_in_turn(std::string_view key, std::string_view version,
                               const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto versions, versions_of(key, stop));
    auto mine = std::ranges::find(versions, version, &Version::id);
    if (mine == versions.end()) {
        return Error{Errc::unavailable, client_.settings().place() +
                                            " does not list the version of the object " +
                                            std::string(key) + " that was just put"};
    }
    const auto earlier = std::next(mine);
    if (earlier == versions.end() || earlier->delete_marker) {
        return {};
    }
    OPENARCHIVER_CHECK(remove_version(key, mine->id, stop));
    return Error{Errc::already_exists,
                 "there is an object " + std::string(key) + " already: another came first"};
}

sdk::Result<std::vector<Version>> Store::versions_of(std::string_view key,
                                                     const std::stop_token& stop) {
    const std::string object = object_of(key);
    std::vector<Version> found;
    std::string next_key;
    std::string next_id;
    do {
        Call call{.action = "list the versions of the object " + std::string(key) + " of",
                  .query = {{"encoding-type", "url"}, {"prefix", object}, {"versions", ""}}};
        if (!next_key.empty()) {
            call.query.emplace_back("key-marker", next_key);
            call.query.emplace_back("version-id-marker", next_id);
        }
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        if (!succeeded(*response)) {
            return client_.error(call, *response);
        }
        OPENARCHIVER_TRY(const std::string page, client_.read_page(call, *response));
        OPENARCHIVER_TRY(VersionListing listing, parse_versions(page));
        for (Version& version : listing.versions) {
            if (version.key != object) {
                return found;  // keys that begin with this one come behind it
            }
            found.push_back(std::move(version));
        }
        next_key = std::move(listing.next_key);
        next_id = std::move(listing.next_id);
    } while (next_key == object);
    return found;
}

sdk::Status Store::remove_version(std::string_view key, const std::string& version,
                                  const std::stop_token& stop) {
    Call call{.action = "remove the object " + std::string(key) + " from",
              .method = "DELETE",
              .object = object_of(key)};
    if (!version.empty()) {
        call.query.emplace_back("versionId", version);
    }
    OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
    if (succeeded(*response)) {
        response->read_error_text();
        return {};
    }
    Error error = client_.error(call, *response);
    if (error.code == Errc::not_found) {
        return {};
    }
    if (error.code == Errc::permission_denied && capabilities().lock) {
        const auto kept = kept_of(key, stop);
        const bool locked = kept && kept->locked_until.has_value();
        if (locked || (kept && kept->held)) {
            error.message = "the object " + std::string(key) + " of " + client_.settings().place() +
                            " can't be removed: it is " +
                            (kept->held ? "under a legal hold"
                                        : "locked until " + time_text(*kept->locked_until));
        }
    }
    return error;
}

/// The versions that are older than the one that was just put.
sdk::Status Store::remove_older(std::string_view key, std::string_view version,
                                const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto versions, versions_of(key, stop));
    auto older = std::ranges::find(versions, version, &Version::id);
    for (; older != versions.end(); ++older) {
        if (older->id != version) {
            OPENARCHIVER_CHECK(remove_version(key, older->id, stop));
        }
    }
    return {};
}

/// The tag of an object is its MD5, unless the store encrypts or has ways of its own. Which of them
/// it is, or that it keeps wrong bytes, only reading tells.
sdk::Status Store::check_stored(std::string_view key, std::string_view etag,
                                const std::string& payload_sha256, const std::stop_token& stop) {
    DigestSink sink;
    OPENARCHIVER_CHECK(get(key, {}, sink, stop));
    if (to_hex(sink.digest.finish()) != payload_sha256) {
        return Error{Errc::corrupt,
                     client_.settings().place() + " keeps other bytes for the object " +
                         std::string(key) + " than it was sent (its ETag is " +
                         std::string(etag.substr(0, 80)) + "); do not trust this store"};
    }
    etag_is_md5_ = false;
    return {};
}

/// In a bucket with versions. A read may meet a version that is being removed, since another one
/// is there; and whoever may write to the bucket can hide an object, and not remove it.
sdk::Result<bool> Store::is_there(std::string_view key, const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto versions, versions_of(key, stop));
    if (versions.size() > 1 && versions.front().delete_marker) {
        return Error{Errc::not_found,
                     "the object " + std::string(key) + " of " + client_.settings().place() +
                         " was hidden by another program, behind a delete marker: take that away, "
                         "and the object is back"};
    }
    return !versions.empty() && !versions.front().delete_marker;
}

sdk::Status Store::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                       std::stop_token stop) {
    return again_if_replaced([&] { return read(key, range, sink, stop); });
}

sdk::Status Store::read(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                        const std::stop_token& stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        // What HTTP can't ask for.
        if (range.length == 0 || range.offset > kLargestObject ||
            range.length.value_or(0) > kLargestObject) {
            OPENARCHIVER_TRY(const sdk::ObjectInfo info, stat(key, stop));
            return reaches_beyond(range, info.size) ? beyond(key, info.size) : sdk::Status();
        }
        Call call{.action = "read the object " + std::string(key) + " of",
                  .object = object_of(key)};
        const bool whole = range.offset == 0 && !range.length;
        if (!whole) {
            call.fields.emplace_back("range", range_field(range));
        }
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        const http::ResponseHead& head = response->head();
        if (head.status == 416) {
            OPENARCHIVER_TRY(const sdk::ObjectInfo info, stat(key, stop));
            return reaches_beyond(range, info.size) ? beyond(key, info.size) : sdk::Status();
        }
        if (!succeeded(*response)) {
            Error error = client_.error(call, *response);
            if (error.code == Errc::not_found && versions_) {
                OPENARCHIVER_TRY(const bool there, is_there(key, stop));
                if (there) {
                    return replaced_meanwhile(call);
                }
            }
            return error;
        }
        const auto length = number(head.field("Content-Length"));
        const auto part = parse_content_range(head.field("Content-Range"));
        std::optional<std::uint64_t> size;
        if (whole && head.status == 200) {
            size = length;
        } else if (!whole && head.status == 206 && part && part->first == range.offset) {
            if (reaches_beyond(range, part->size)) {
                return beyond(key, part->size);
            }
            size = range.length.value_or(part->size - range.offset);
        }
        if (!size || length != size) {
            return Error{Errc::unavailable, "can't " + call.action + " " +
                                                client_.settings().place() +
                                                ": the store sends another part than was asked "
                                                "for, or does not tell which"};
        }
        auto delivered = deliver(*response, *size, sink, stop);
        if (!delivered && delivered.error().code == Errc::unavailable && !response->complete()) {
            delivered.error().message = "can't " + call.action + " " + client_.settings().place() +
                                        ": " + delivered.error().message;
        }
        return delivered;
    });
}

sdk::Result<sdk::ObjectInfo> Store::stat(std::string_view key, std::stop_token stop) {
    return again_if_replaced([&] { return look(key, stop); });
}

sdk::Result<sdk::ObjectInfo> Store::look(std::string_view key, const std::stop_token& stop) {
    return guarded([&]() -> sdk::Result<sdk::ObjectInfo> {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        const Call call{.action = "look at the object " + std::string(key) + " of",
                        .method = "HEAD",
                        .object = object_of(key)};
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        const http::ResponseHead& head = response->head();
        if (!succeeded(*response)) {
            // An answer to HEAD has no words: a missing bucket looks like a missing object.
            OPENARCHIVER_CHECK(check_bucket(stop));
            Error error = client_.error(call, *response);
            if (error.code == Errc::not_found && versions_) {
                OPENARCHIVER_TRY(const bool there, is_there(key, stop));
                if (there) {
                    return replaced_meanwhile(call);
                }
            }
            return error;
        }
        const auto size = number(head.field("Content-Length"));
        const auto time = http::parse_http_date(head.field("Last-Modified"));
        if (!size || !time) {
            return Error{Errc::unavailable, "can't " + call.action + " " +
                                                client_.settings().place() +
                                                ": the store does not tell its size and time"};
        }
        return sdk::ObjectInfo{.key = std::string(key), .size = *size, .modified_at = *time};
    });
}

sdk::Status Store::list(std::string_view prefix, std::string_view start_after,
                        sdk::ObjectListSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        const std::string begin = object_of(prefix);
        std::string last = object_of(start_after);
        std::string continuation;
        do {
            Call call{.action = "list",
                      .query = {{"encoding-type", "url"}, {"list-type", "2"}, {"prefix", begin}}};
            if (!continuation.empty()) {
                call.query.emplace_back("continuation-token", continuation);
            } else if (!start_after.empty()) {
                call.query.emplace_back("start-after", last);
            }
            OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
            if (!succeeded(*response)) {
                return client_.error(call, *response);
            }
            OPENARCHIVER_TRY(const std::string page, client_.read_page(call, *response));
            OPENARCHIVER_TRY(Listing listing, parse_listing(page));
            for (sdk::ObjectInfo& info : listing.objects) {
                if (stop.stop_requested()) {
                    return cancelled();
                }
                if (!info.key.starts_with(begin) || info.key < last) {
                    return Error{Errc::unsupported,
                                 client_.settings().place() +
                                     " does not list in byte order of the keys; use another store"};
                }
                if (info.key == last) {
                    continue;
                }
                last = info.key;
                info.key.erase(0, client_.settings().prefix.size());
                // What others put there is not ours to see.
                if (sdk::is_key(info.key) && !sink.object(info)) {
                    return {};
                }
            }
            continuation = std::move(listing.continuation);
        } while (!continuation.empty());
        return {};
    });
}

sdk::Status Store::remove(std::string_view key, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        if (!versions_) {
            return remove_version(key, "", stop);
        }
        // The newest last: until then the object is there as it was.
        OPENARCHIVER_TRY(auto versions, versions_of(key, stop));
        for (; !versions.empty(); versions.pop_back()) {
            OPENARCHIVER_CHECK(remove_version(key, versions.back().id, stop));
        }
        return {};
    });
}

sdk::Result<sdk::Capacity> Store::capacity(std::stop_token) {
    return Error{Errc::unsupported, "S3 does not tell how much space there is"};
}

std::string_view Store::lock_mode() const {
    return client_.settings().object_lock == ObjectLock::compliance ? kCompliance : "GOVERNANCE";
}

/// Something that the store keeps about an object.
sdk::Status Store::put_document(const std::string& action, std::string_view key,
                                const std::string& resource, const std::string& text,
                                const std::stop_token& stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    if (!capabilities().lock) {
        return Error{Errc::unsupported, "object_lock is not set for " + client_.settings().place()};
    }
    TextSource source(text);
    OPENARCHIVER_TRY(const Digests digests, digests_of(source, stop));
    Call call{.action = action + " the object " + std::string(key) + " of",
              .method = "PUT",
              .object = object_of(key),
              .query = {{resource, ""}},
              .fields = {{"content-type", "application/xml"}},
              .source = &source,
              .payload_sha256 = to_hex(digests.sha256)};
    if (!digests.md5.empty()) {
        call.fields.emplace_back("content-md5", base64_of(digests.md5));
    }
    OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
    if (!succeeded(*response)) {
        return client_.error(call, *response);
    }
    response->read_error_text();
    return {};
}

sdk::Status Store::lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        std::string mode(lock_mode());
        sdk::Status put =
            put_document("lock", key, "retention", retention_document(mode, until), stop);
        if (!put && put.error().code != Errc::permission_denied) {
            return put;
        }
        OPENARCHIVER_TRY(Kept kept, kept_of(key, stop));
        if (!put) {
            // Stores refuse to shorten a lock, and to change the mode of one that is there.
            if (kept.locked_until && *kept.locked_until >= until) {
                return {};
            }
            if (kept.mode.empty() || kept.mode == mode) {
                return put;
            }
            mode = kept.mode;
            OPENARCHIVER_CHECK(
                put_document("lock", key, "retention", retention_document(mode, until), stop));
            OPENARCHIVER_TRY(kept, kept_of(key, stop));
        }
        // Others take any document and keep nothing.
        if (kept.locked_until && *kept.locked_until >= until &&
            (kept.mode == mode || kept.mode == kCompliance)) {
            return {};
        }
        return Error{Errc::unsupported,
                     client_.settings().place() + " was told to lock the object " +
                         std::string(key) + " in " + mode + " mode until " + time_text(until) +
                         ", said that it did, and keeps " +
                         (kept.locked_until ? "a lock of " + kept.mode + " mode until " +
                                                  time_text(*kept.locked_until)
                                            : std::string("no lock")) +
                         "; do not trust this store with Object Lock"};
    });
}

sdk::Status Store::hold(std::string_view key, bool held, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(put_document(held ? "put a legal hold on" : "take the legal hold off",
                                        key, "legal-hold", hold_document(held), stop));
        OPENARCHIVER_TRY(const Kept kept, kept_of(key, stop));
        if (kept.held != held) {
            return Error{Errc::unsupported,
                         client_.settings().place() + " was told to " +
                             (held ? "put a legal hold on" : "take the legal hold off") +
                             " the object " + std::string(key) +
                             ", said that it did, and did not; do not trust this store with "
                             "Object Lock"};
        }
        return {};
    });
}

sdk::Result<sdk::Protection> Store::protection(std::string_view key, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Protection> {
        OPENARCHIVER_TRY(const Kept kept, kept_of(key, stop));
        return sdk::Protection{.locked_until = kept.locked_until, .held = kept.held};
    });
}

sdk::Result<Store::Kept> Store::kept_of(std::string_view key, const std::stop_token& stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    if (!capabilities().lock) {
        return Error{Errc::unsupported, "object_lock is not set for " + client_.settings().place()};
    }
    const Call call{.action = "ask for the lock of the object " + std::string(key) + " of",
                    .method = "HEAD",
                    .object = object_of(key)};
    OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
    if (!succeeded(*response)) {
        return client_.error(call, *response);
    }
    const http::ResponseHead& head = response->head();
    return Kept{
        .mode = std::string(head.field("x-amz-object-lock-mode")),
        .locked_until = parse_time(std::string(head.field("x-amz-object-lock-retain-until-date"))),
        .held = head.field("x-amz-object-lock-legal-hold") == "ON"};
}

}  // namespace openarchiver::s3
