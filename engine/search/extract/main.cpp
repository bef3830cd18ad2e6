// openarchiver-extract: reads the text of messages that the engine sends over its standard input, a
// socket. A process of its own, so that what strangers sent may crash it, and limited, so that it
// may not take more than its share.
#include <gmime/gmime.h>
#include <libxml/parser.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <new>
#include <utility>

#include "search/extract/attachments.hpp"
#include "search/extract/mail.hpp"

namespace openarchiver::search::extract {

namespace {

constexpr rlim_t kMemory = rlim_t{1} << 30;

void limit(int resource, rlim_t most) {
    const rlimit limits{.rlim_cur = most, .rlim_max = most};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limits);
}

void limit_process() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::prctl(PR_SET_DUMPABLE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    limit(RLIMIT_AS, kMemory);
#endif
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, kMemory);  // of files in memory; it may write no others
    constexpr int kNice = 10;
    (void)::setpriority(PRIO_PROCESS, 0, kNice);
}

/// Ends the process when the engine is gone.
class WireSink final : public MailSink {
public:
    explicit WireSink(wire::Channel& engine) : engine_(engine) {}

    void text(Field field, std::string_view text) override {
        auto& buffer = buffers_.at(static_cast<std::size_t>(field));
        auto& taken = taken_.at(static_cast<std::size_t>(field));
        const std::size_t limit = field == Field::attachment ? kMaxAttachments : kMaxBody;
        if (taken + text.size() > limit) {
            text = text.substr(0, limit - taken);
            if (!cut_.at(static_cast<std::size_t>(field))) {
                cut_.at(static_cast<std::size_t>(field)) = true;
                gap(GapReason::too_large, "");
            }
        }
        taken += text.size();
        buffer += text;
    }

    void gap(GapReason reason, std::string_view name) override {
        put(wire::Kind::gap, std::string(1, static_cast<char>(reason)) + std::string(name));
    }

    [[nodiscard]] bool full(Field field) const override {
        return cut_.at(static_cast<std::size_t>(field));
    }

    void message_id(std::string_view id) override { put(wire::Kind::message_id, id); }

    void reference(std::string_view id) override { put(wire::Kind::reference, id); }

    void has_attachment() override { has_attachment_ = true; }

    void attachment(std::uint32_t number, std::string_view name) override {
        flush();
        put(wire::Kind::attachment, wire::encode(number), name);
        hand_over();  // it knows what was being read, should this process die of it
    }

    std::string part(std::uint32_t index) override {
        put(wire::Kind::need, wire::encode(index));
        hand_over();
        auto answer = engine_.receive();
        if (!answer || answer->kind != wire::Kind::part) {
            ::_exit(0);
        }
        return std::move(answer->bytes);
    }

    void end() {
        flush();
        if (has_attachment_) {
            put(wire::Kind::has_attachment, "");
        }
        put(wire::Kind::end, "");
        hand_over();
    }

private:
    void flush() {
        for (std::size_t field = 0; field < buffers_.size(); ++field) {
            if (!buffers_.at(field).empty()) {
                put(wire::Kind::text, std::string(1, static_cast<char>(field)), buffers_.at(field));
                buffers_.at(field).clear();
            }
        }
    }

    void put(wire::Kind kind, std::string_view first, std::string_view second = {}) {
        if (!engine_.put(kind, first, second)) {
            ::_exit(0);
        }
    }

    void hand_over() {
        if (!engine_.flush()) {
            ::_exit(0);
        }
    }

    wire::Channel& engine_;
    std::array<std::string, kFields> buffers_;
    std::array<std::size_t, kFields> taken_{};
    std::array<bool, kFields> cut_{};
    bool has_attachment_ = false;
};

class AttachmentWire final : public AttachmentSink {
public:
    explicit AttachmentWire(wire::Channel& engine) : engine_(engine) {}

    void entry(const wire::Entry& entry) override { put(wire::Kind::entry, wire::encode(entry)); }

    void bytes(std::string_view some) override { put(wire::Kind::bytes, some); }

    void cut() override { put(wire::Kind::cut, ""); }

    void end() {
        put(wire::Kind::end, "");
        if (!engine_.flush()) {
            ::_exit(0);
        }
    }

private:
    void put(wire::Kind kind, std::string_view bytes) {
        if (!engine_.put(kind, "", bytes)) {
            ::_exit(0);
        }
    }

    wire::Channel& engine_;
};

int serve() {
    wire::Channel engine(STDIN_FILENO);
    std::string pieces;
    while (auto record = engine.receive()) {
        if (record->kind == wire::Kind::piece) {
            pieces += record->bytes;
            continue;
        }
        if (record->kind == wire::Kind::attachments) {
            AttachmentWire sink(engine);
            read_attachments(std::exchange(pieces, {}), wire::decode_number(record->bytes), sink);
            sink.end();
            continue;
        }
        if (record->kind != wire::Kind::message || record->bytes.size() < wire::kRequestSize) {
            return 1;
        }
        const auto request = wire::decode_request(record->bytes);
        record->bytes.erase(0, wire::kRequestSize);
        WireSink sink(engine);
        read_mail(std::move(record->bytes), request, sink);
        sink.end();
    }
    return 0;
}

}  // namespace

}  // namespace openarchiver::search::extract

int main() {
    using namespace openarchiver::search::extract;
    limit_process();
    g_mime_init();
    xmlInitParser();
    try {
        return serve();
    } catch (const std::exception&) {
        return 1;  // the engine sees that it is gone, and where it was
    }
}
