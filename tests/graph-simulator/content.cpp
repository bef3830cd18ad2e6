#include "content.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "text.hpp"

namespace graph_simulator {
namespace {

constexpr std::size_t kHeaderRoom = 65536;

class FileSource : public BodySource {
public:
    explicit FileSource(const std::string& path) : file_(path, std::ios::binary) {}

    bool good() const { return file_.is_open(); }

    std::size_t read(char* out, std::size_t room) override {
        file_.read(out, static_cast<std::streamsize>(room));
        return static_cast<std::size_t>(file_.gcount());
    }

private:
    std::ifstream file_;
};

class MemorySource : public BodySource {
public:
    explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}

    std::size_t read(char* out, std::size_t room) override {
        const std::size_t take = std::min(room, bytes_.size() - at_);
        std::memcpy(out, bytes_.data() + at_, take);
        at_ += take;
        return take;
    }

private:
    std::string bytes_;
    std::size_t at_ = 0;
};

MailRequest mail_request(const Content& content, const ContentOwner& owner) {
    MailRequest request;
    request.seed = content.seed;
    request.owner_name = owner.name;
    request.owner_address = owner.address;
    request.received = content.received;
    request.draft = content.draft;
    request.sent_by_owner = content.sent_by_owner;
    request.exact_size = content.exact_size;
    return request;
}

}  // namespace

Content ContentStore::add_file(std::string path) {
    paths_.push_back(std::move(path));
    Content content;
    content.kind = Content::Kind::File;
    content.index = static_cast<std::uint32_t>(paths_.size() - 1);
    return content;
}

Content ContentStore::add_bytes(std::string bytes) {
    bytes_.push_back(std::move(bytes));
    Content content;
    content.kind = Content::Kind::Memory;
    content.index = static_cast<std::uint32_t>(bytes_.size() - 1);
    return content;
}

std::string ContentStore::path(const Content& content) const {
    return content.kind == Content::Kind::File ? paths_[content.index] : std::string();
}

std::uint64_t ContentStore::size(const Content& content, const ContentOwner& owner) const {
    switch (content.kind) {
        case Content::Kind::Memory:
            return bytes_[content.index].size();
        case Content::Kind::File: {
            std::error_code error;
            const auto size = std::filesystem::file_size(paths_[content.index], error);
            return error ? 0 : size;
        }
        case Content::Kind::Generated:
            break;
    }
    return make_mail(mail_request(content, owner)).size;
}

std::string ContentStore::sha256_hex(const Content& content, const ContentOwner& owner) const {
    const bool generated = content.kind == Content::Kind::Generated;
    const std::uint64_t flags = (content.draft ? 2U : 0U) | (content.sent_by_owner ? 1U : 0U);
    const std::uint64_t key =
        mix(mix(content.seed, content.exact_size), std::hash<std::string>{}(owner.address) ^ flags);
    if (generated) {
        const auto found = digests_.find(key);
        if (found != digests_.end())
            return found->second;
    }
    const auto source = open(content, owner);
    if (source == nullptr)
        return {};
    Sha256 digest;
    std::array<char, 65536> buffer{};
    while (const std::size_t got = source->read(buffer.data(), buffer.size())) {
        digest.update({buffer.data(), got});
    }
    std::string text = hex(digest.finish());
    if (generated)
        digests_.emplace(key, text);
    return text;
}

Summary ContentStore::summary(const Content& content, const ContentOwner& owner) const {
    Summary out;
    if (content.kind == Content::Kind::Generated) {
        Envelope envelope = make_envelope(mail_request(content, owner));
        out.subject = std::move(envelope.subject);
        out.from_name = std::move(envelope.from_name);
        out.from_address = std::move(envelope.from_address);
        out.to_name = std::move(envelope.to_name);
        out.to_address = std::move(envelope.to_address);
        out.message_id = std::move(envelope.message_id);
        out.sent = envelope.sent;
        out.has_attachments = envelope.attachments;
        return out;
    }
    std::string head;
    if (const auto source = open(content, owner)) {
        head.resize(kHeaderRoom);
        head.resize(source->read(head.data(), head.size()));
    }
    const MailHeader header = read_header(head);
    out.subject = valid_utf8(header.subject);
    out.from_name = valid_utf8(header.from_name);
    out.from_address = valid_utf8(header.from_address);
    out.to_address = valid_utf8(header.to);
    out.message_id = valid_utf8(header.message_id);
    out.sent = content.received;
    out.has_attachments = header.content_type.starts_with("multipart/mixed");
    return out;
}

std::unique_ptr<BodySource> ContentStore::open(const Content& content,
                                               const ContentOwner& owner) const {
    switch (content.kind) {
        case Content::Kind::Memory:
            return std::make_unique<MemorySource>(bytes_[content.index]);
        case Content::Kind::File: {
            auto source = std::make_unique<FileSource>(paths_[content.index]);
            if (!source->good())
                return nullptr;
            return source;
        }
        case Content::Kind::Generated:
            break;
    }
    return open_mail(make_mail(mail_request(content, owner)));
}

}  // namespace graph_simulator
