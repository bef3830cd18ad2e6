// Where a message's bytes come from: a seed, a file or memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bytes.hpp"
#include "http_types.hpp"
#include "mail_generator.hpp"
#include "mime.hpp"

namespace graph_simulator {

struct Content {
    enum class Kind : std::uint8_t { Generated, File, Memory };
    Kind kind = Kind::Generated;
    bool draft = false;
    bool sent_by_owner = false;
    std::uint32_t index = 0;  // of the file or the bytes
    std::uint64_t seed = 0;
    std::int64_t received = 0;
    std::uint64_t exact_size = 0;
};

struct ContentOwner {
    std::string name;
    std::string address;
};

// What the message resource shows of the content.
struct Summary {
    std::string subject;
    std::string from_name;
    std::string from_address;
    std::string to_name;
    std::string to_address;
    std::string message_id;  // may be empty
    std::int64_t sent = 0;
    bool has_attachments = false;
};

class ContentStore {
public:
    Content add_file(std::string path);
    Content add_bytes(std::string bytes);

    std::string path(const Content& content) const;  // empty unless a file
    std::uint64_t size(const Content& content, const ContentOwner& owner) const;
    std::string sha256_hex(const Content& content, const ContentOwner& owner) const;
    Summary summary(const Content& content, const ContentOwner& owner) const;
    // Nothing when the file has gone.
    std::unique_ptr<BodySource> open(const Content& content, const ContentOwner& owner) const;

private:
    std::vector<std::string> paths_;
    std::vector<std::string> bytes_;
    mutable std::unordered_map<std::uint64_t, std::string> digests_;
};

}  // namespace graph_simulator
