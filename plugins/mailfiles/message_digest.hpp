#pragma once

#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "file_access.hpp"

struct evp_md_ctx_st;

namespace openarchiver::mailfiles {

/// What a message without a name of its own is known by: the SHA-256 of its bytes, without what
/// changes although the message stays the same. That are the header fields in which mail programs
/// keep flags, numbers and the length (Status, X-UID and the like), as they rewrite an mbox; and
/// the random numbers in the boundaries that readpst makes.
class MessageDigest {
public:
    MessageDigest();
    MessageDigest(const MessageDigest&) = delete;
    MessageDigest& operator=(const MessageDigest&) = delete;
    ~MessageDigest();

    /// A piece of a line, as LineReader gives it.
    void add(std::string_view piece, bool begins_line);

    /// 64 hexadecimal digits.
    std::string finish();

private:
    void update(std::string_view bytes);

    std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
    bool in_header_ = true;
    bool leaving_out_ = false;
};

/// Of a part of a file.
sdk::Result<std::string> digest_of(const FileDescriptor& file, std::uint64_t begin,
                                   std::uint64_t end, const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
