#pragma once

#include <cstddef>
#include <filesystem>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "evidence/merkle.hpp"

/// Timestamps by RFC 3161: an authority signs that a digest existed at a time.
namespace openarchiver::evidence {

struct Timestamp {
    sdk::Timestamp time;
    /// The authority by its certificate's subject; empty where the token names none.
    std::string authority;
};

struct TimestampRequest {
    Digest digest{};
    /// DER: a TimeStampReq with a random nonce that asks for the authority's certificate.
    std::string query;
};

[[nodiscard]] TimestampRequest make_request(const Digest& digest);

/// Checks a reply (DER, TimeStampResp) against what was asked: status, digest, nonce, signature,
/// and that the authority's certificate leads to one in `ca_file` (PEM; empty: the system's).
/// unavailable: the authority refused; corrupt: it answers something else; unauthenticated: it is
/// not trusted, or the signature is wrong.
[[nodiscard]] sdk::Result<Timestamp> check_reply(std::string_view reply,
                                                 const TimestampRequest& request,
                                                 const std::filesystem::path& ca_file);
/// The same for a reply that was kept: any nonce, and certificates as of the timestamp's own time.
[[nodiscard]] sdk::Result<Timestamp> check_kept(std::string_view reply, const Digest& digest,
                                                const std::filesystem::path& ca_file);
/// What a kept reply says of this digest, whoever signed it. corrupt: it is of another digest, or
/// malformed.
[[nodiscard]] sdk::Result<Timestamp> read_kept(std::string_view reply, const Digest& digest);

}  // namespace openarchiver::evidence
