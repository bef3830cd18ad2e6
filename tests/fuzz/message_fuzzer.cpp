// A message, as it is archived, searched and shown: any bytes come back exactly, and any reader of
// its structure gets through.
#include <gmime/gmime.h>

#include <cstdint>
#include <vector>

#include "archive/composition.hpp"
#include "archive/content_split.hpp"
#include "archive/digest.hpp"
#include "input.hpp"
#include "pipeline/message_headers.hpp"
#include "search/extract/attachments.hpp"
#include "search/snippet.hpp"
#include "search/words.hpp"

using namespace openarchiver;

namespace {

constexpr std::uint64_t kInMemory = std::uint64_t{1} << 20;

std::string read_all(const archive::Spool& spool, std::uint64_t offset, std::uint64_t size) {
    std::string text(size, '\0');
    const auto got = spool.read_at(offset, std::as_writable_bytes(std::span(text)));
    fuzz::expect(got && *got == size, "a spool gives back what was written to it");
    return text;
}

void comes_back_exactly(std::span<const std::byte> bytes) {
    archive::Spool content("/tmp", kInMemory);
    fuzz::expect(content.write(bytes).has_value(), "a spool takes what is written to it");
    const auto split = archive::split_content(std::move(content), "/tmp");
    fuzz::expect(split.has_value(), "any bytes can be split");
    const std::string stored = read_all(split->stored, 0, split->stored.size());
    fuzz::ToString again;
    if (split->composed) {
        archive::Composer composer(again, [&](std::size_t index, std::uint64_t size,
                                              sdk::ByteSink& target) {
            std::uint64_t offset = 0;
            for (std::size_t i = 0; i < index; ++i) {
                offset += split->parts[i].size;
            }
            fuzz::expect(size == split->parts[index].size,
                         "a part has the size it is said to have");
            const std::string part = read_all(split->part_bytes, offset, size);
            fuzz::expect(archive::sha256(part) == split->parts[index].id, "a part has its digest");
            return target.write(std::as_bytes(std::span(part)));
        });
        fuzz::expect(composer.write(std::as_bytes(std::span(stored))).has_value(),
                     "it is composed");
        fuzz::expect(composer.finish().has_value(), "a composition is whole");
    } else {
        again.text = stored;
    }
    fuzz::expect(
        again.text == std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
        "what was split comes back exactly");
}

/// What came out of the archive is written by the engine, but a reader of it can't be sure.
void compose_anything(std::span<const std::byte> bytes) {
    fuzz::ToString ignored;
    archive::Composer composer(ignored, [](std::size_t, std::uint64_t, sdk::ByteSink& target) {
        return target.write(std::as_bytes(std::span("part", 4)));
    });
    if (composer.write(bytes)) {
        (void)composer.finish();
    }
}

class Attachments final : public search::extract::AttachmentSink {
public:
    void entry(const search::wire::Entry&) override { ++entries; }

    void bytes(std::string_view some) override { size += some.size(); }

    void cut() override {}

    std::uint32_t entries = 0;
    std::size_t size = 0;
};

void attachments_can_be_taken(const std::string& message) {
    Attachments all;
    search::extract::read_attachments(message, 0, all);
    fuzz::expect(all.size == 0, "a list has no bytes");
    if (all.entries > 0) {
        Attachments one;
        search::extract::read_attachments(message, all.entries, one);
        fuzz::expect(one.entries == 1, "what was listed can be taken");
    }
}

bool is_shown(const std::string& text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            return false;
        }
    }
    return text.size() <= pipeline::kMaxHeaderValue && search::plain_utf8(text) == text;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    g_mime_init();
    ::setenv("PATH", "/nonexistent", 1);  // no PDF reader: a process for each input
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    comes_back_exactly(bytes);
    compose_anything(bytes);
    const auto headers = pipeline::read_headers(bytes);
    fuzz::expect(
        is_shown(headers.subject) && is_shown(headers.from) && is_shown(headers.message_id),
        "headers are one line of UTF-8");
    const std::string message(reinterpret_cast<const char*>(data), size);
    attachments_can_be_taken(message);
    fuzz::Texts texts;
    search::extract::read_mail(message, {}, texts);
    const auto subject =
        search::words_of(texts.document[search::Field::subject], search::WordsOf::query);
    if (!subject.empty()) {
        (void)search::make_snippet(texts.document,
                                   {search::words_query(subject.front(), {}, false)});
    }
    return 0;
}
