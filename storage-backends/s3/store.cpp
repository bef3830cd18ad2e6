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

class NoBytes final : public sdk::ByteSource {
public:
    sdk::Result<std::size_t> read(std::span<std::byte>) override { return std::size_t{0}; }

    [[nodiscard]] std::uint64_t size() const override { return 0; }

    sdk::Status rewind() override { return {}; }
};

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

/// Makes one object that stays: who asks for it to be made again has to be refused.
sdk::Status Store::probe_if_absent(const std::stop_token& stop) {
    NoBytes nothing;
    const Call call{.action = "try If-None-Match on",
                    .method = "PUT",
                    .object = object_of(kProbe),
                    .fields = {{"if-none-match", "*"}},
                    .source = &nothing};
    for (int attempt = 0; attempt < 2; ++attempt) {
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        if (succeeded(*response)) {
            response->read_error_text();
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
    return {
        .put_if_absent = if_absent_, .max_object_bytes = kLargestPut, .parallelism = kParallelism};
}

sdk::Status Store::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                       std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        if (mode == sdk::PutMode::if_absent && !if_absent_) {
            return Error{Errc::unsupported,
                         client_.settings().place() +
                             " ignores If-None-Match, so that two engines could write the same "
                             "archive without noticing; use a store that keeps to it"};
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
        if (mode == sdk::PutMode::if_absent) {
            call.fields.emplace_back("if-none-match", "*");
        }
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        if (!succeeded(*response)) {
            return client_.error(call, *response);
        }
        const std::string etag(response->head().field("ETag"));
        response->read_error_text();
        if (etag_is_md5_ && !digests.md5.empty() && etag != "\"" + to_hex(digests.md5) + "\"") {
            return check_stored(key, etag, call.payload_sha256, stop);
        }
        return {};
    });
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

sdk::Status Store::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                       std::stop_token stop) {
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
            return client_.error(call, *response);
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
            return client_.error(call, *response);
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
        const Call call{.action = "remove the object " + std::string(key) + " from",
                        .method = "DELETE",
                        .object = object_of(key)};
        OPENARCHIVER_TRY(const auto response, client_.send(call, stop));
        if (succeeded(*response)) {
            response->read_error_text();
            return {};
        }
        Error error = client_.error(call, *response);
        return error.code == Errc::not_found ? sdk::Status() : std::move(error);
    });
}

sdk::Result<sdk::Capacity> Store::capacity(std::stop_token) {
    return Error{Errc::unsupported, "S3 does not tell how much space there is"};
}

}  // namespace openarchiver::s3
