#include "search/attachments.hpp"

#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "search/extractor_process.hpp"
#include "search/words.hpp"

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::int64_t kTime = 60'000;
constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kMost = 10'000;

Attachment attachment_of(const wire::Entry& entry) {
    return {.number = entry.number,
            .name = plain_utf8(entry.name),
            .media_type = plain_utf8(entry.media_type),
            .disposition = plain_utf8(entry.disposition),
            .content_id = plain_utf8(entry.content_id),
            .size = entry.size};
}

Status send(wire::Channel& channel, sdk::ByteSource& message, std::uint32_t number,
            std::int64_t deadline) {
    OPENARCHIVER_CHECK(message.rewind());
    std::string piece(kPiece, '\0');
    while (true) {
        OPENARCHIVER_TRY(const std::size_t count,
                         message.read(std::as_writable_bytes(std::span(piece))));
        if (count == 0) {
            break;
        }
        OPENARCHIVER_CHECK(
            channel.put(wire::Kind::piece, "", std::string_view(piece).substr(0, count), deadline));
    }
    OPENARCHIVER_CHECK(channel.put(wire::Kind::attachments, wire::encode(number), "", deadline));
    return channel.flush(deadline);
}

/// Asks for one, or for the list (0); its bytes into `bytes`.
Result<Attachments> ask(sdk::ByteSource& message, std::uint32_t number, sdk::ByteSink* bytes,
                        const std::stop_token& stop) {
    if (message.size() > kLargestMessage) {
        return Error{Errc::resource_exhausted, "the message is larger than " +
                                                   std::to_string(kLargestMessage >> 20) +
                                                   " MiB: take its exact bytes"};
    }
    OPENARCHIVER_TRY(const auto program, extractor_program());
    ExtractorProcess process(program);
    OPENARCHIVER_CHECK(process.start());
    const std::stop_callback killer(stop, [&] { process.kill(); });
    Attachments found;
    Status failed_here;
    const Status ran = [&]() -> Status {
        auto& channel = process.channel();
        const std::int64_t deadline = wire::now() + kTime;
        OPENARCHIVER_CHECK(send(channel, message, number, deadline));
        std::uint64_t left = 2 * message.size();  // decoded it is less, but for ends of lines
        while (true) {
            OPENARCHIVER_TRY(const wire::Record record, channel.receive(deadline));
            if (record.kind == wire::Kind::end) {
                return {};
            }
            if (record.kind == wire::Kind::cut) {
                found.complete = false;
            } else if (record.kind == wire::Kind::entry && found.list.size() < kMost) {
                found.list.push_back(attachment_of(wire::decode_entry(record.bytes)));
            } else if (record.kind == wire::Kind::bytes && bytes != nullptr &&
                       record.bytes.size() <= left) {
                left -= record.bytes.size();
                failed_here = bytes->write(std::as_bytes(std::span(record.bytes)));
                OPENARCHIVER_CHECK(failed_here);
            } else {
                return Error{Errc::corrupt, "the extractor sent what there is not"};
            }
        }
    }();
    if (ran) {
        return found;
    }
    if (stop.stop_requested()) {
        return Error{Errc::cancelled, "stopped"};
    }
    if (!failed_here) {
        return std::move(failed_here.error());
    }
    return Error{Errc::corrupt, "the attachments of the message can't be read (" +
                                    ran.error().message + "): take its exact bytes"};
}

}  // namespace

Result<Attachments> list_attachments(sdk::ByteSource& message, const std::stop_token& stop) {
    return ask(message, 0, nullptr, stop);
}

Result<Attachment> read_attachment(sdk::ByteSource& message, std::uint32_t number,
                                   sdk::ByteSink& sink, const std::stop_token& stop) {
    if (number > 0) {
        OPENARCHIVER_TRY(auto found, ask(message, number, &sink, stop));
        if (!found.list.empty()) {
            return std::move(found.list.front());
        }
    }
    return Error{Errc::not_found, "the message has no attachment " + std::to_string(number)};
}

}  // namespace openarchiver::search
