#include "evidence/timestamp.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>

#include "archive/random.hpp"

namespace openarchiver::evidence {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

struct Free {
    void operator()(TS_REQ* p) const { TS_REQ_free(p); }

    void operator()(TS_RESP* p) const { TS_RESP_free(p); }

    void operator()(TS_MSG_IMPRINT* p) const { TS_MSG_IMPRINT_free(p); }

    void operator()(TS_VERIFY_CTX* p) const { TS_VERIFY_CTX_free(p); }

    void operator()(X509_ALGOR* p) const { X509_ALGOR_free(p); }

    void operator()(ASN1_INTEGER* p) const { ASN1_INTEGER_free(p); }

    void operator()(BIO* p) const { BIO_free_all(p); }

    void operator()(X509_STORE* p) const { X509_STORE_free(p); }
};

template <typename T>
using Owned = std::unique_ptr<T, Free>;

// Building a request fails only where OpenSSL lacks memory.
void require(bool condition) {
    if (!condition) {
        std::fputs("openarchiver: OpenSSL can't build a timestamp request\n", stderr);
        std::abort();
    }
}

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// What OpenSSL's queue of errors says, and nothing of earlier ones is left.
std::string openssl_reason() {
    std::string text;
    const char* data = nullptr;
    int flags = 0;
    while (const auto code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
        const char* const reason = ERR_reason_error_string(code);
        text += (text.empty() ? "" : "; ") + std::string(reason != nullptr ? reason : "error");
        if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') {
            text += " (" + std::string(data) + ")";
        }
    }
    return text.empty() ? "no reason given" : text;
}

/// `nonce` absent: any is taken in the reply.
Owned<TS_REQ> request_for(const Digest& digest, const std::optional<std::uint64_t>& nonce) {
    Owned<TS_REQ> request(TS_REQ_new());
    const Owned<TS_MSG_IMPRINT> imprint(TS_MSG_IMPRINT_new());
    const Owned<X509_ALGOR> algorithm(X509_ALGOR_new());
    Digest bytes = digest;
    require(request && imprint && algorithm &&
            X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) == 1 &&
            TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get()) == 1 &&
            TS_MSG_IMPRINT_set_msg(imprint.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size())) == 1 &&
            TS_REQ_set_version(request.get(), 1) == 1 &&
            TS_REQ_set_msg_imprint(request.get(), imprint.get()) == 1 &&
            TS_REQ_set_cert_req(request.get(), 1) == 1);
    if (nonce) {
        const Owned<ASN1_INTEGER> number(ASN1_INTEGER_new());
        require(number && ASN1_INTEGER_set_uint64(number.get(), *nonce) == 1 &&
                TS_REQ_set_nonce(request.get(), number.get()) == 1);
    }
    return request;
}

/// The whole text is one reply.
Owned<TS_RESP> parse_reply(std::string_view reply) {
    const unsigned char* at = octets(reply);
    Owned<TS_RESP> parsed(d2i_TS_RESP(nullptr, &at, static_cast<long>(reply.size())));
    ERR_clear_error();
    return at == octets(reply) + reply.size() ? std::move(parsed) : nullptr;
}

sdk::Timestamp time_of(const ASN1_GENERALIZEDTIME* time) {
    std::tm fields{};
    if (ASN1_TIME_to_tm(time, &fields) != 1) {
        return {};
    }
    const std::chrono::sys_days day = std::chrono::year(fields.tm_year + 1900) /
                                      std::chrono::month(static_cast<unsigned>(fields.tm_mon + 1)) /
                                      std::chrono::day(static_cast<unsigned>(fields.tm_mday));
    return day + std::chrono::hours(fields.tm_hour) + std::chrono::minutes(fields.tm_min) +
           std::chrono::seconds(fields.tm_sec);
}

std::string authority_of(TS_TST_INFO* info) {
    GENERAL_NAME* const name = TS_TST_INFO_get_tsa(info);
    if (name == nullptr || name->type != GEN_DIRNAME) {
        return {};
    }
    std::array<char, 512> text{};
    X509_NAME_oneline(name->d.directoryName, text.data(), static_cast<int>(text.size()));
    return text.data();
}

Timestamp timestamp_of(TS_RESP* reply) {
    TS_TST_INFO* const info = TS_RESP_get_tst_info(reply);
    return {.time = time_of(TS_TST_INFO_get_time(info)), .authority = authority_of(info)};
}

/// Against a request; `at`: the time of the certificates, 0 for now.
sdk::Status verify(TS_RESP* reply, TS_REQ* request, bool signature,
                   const std::filesystem::path& ca_file, std::time_t at) {
    const Owned<TS_VERIFY_CTX> context(TS_REQ_to_TS_VERIFY_CTX(request, nullptr));
    require(context != nullptr);
    if (signature) {
        Owned<X509_STORE> store(X509_STORE_new());
        const bool loaded =
            store && (ca_file.empty() ? X509_STORE_set_default_paths(store.get()) == 1
                                      : X509_STORE_load_file(store.get(), ca_file.c_str()) == 1);
        if (!loaded) {
            return Error{Errc::invalid_config,
                         "the certificates " +
                             (ca_file.empty() ? std::string("of the system") : ca_file.string()) +
                             " can't be read: " + openssl_reason()};
        }
        if (at != 0) {
            X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), at);
        }
        TS_VERIFY_CTX_set_store(context.get(), store.release());
        TS_VERIFY_CTX_add_flags(context.get(), TS_VFY_SIGNATURE);
    } else {
        // Not the authority's name: to compare that, OpenSSL checks the signature, too.
        const bool nonce = TS_REQ_get_nonce(request) != nullptr;
        TS_VERIFY_CTX_set_flags(context.get(), static_cast<int>(TS_VFY_VERSION | TS_VFY_IMPRINT |
                                                                (nonce ? TS_VFY_NONCE : 0U)));
    }
    if (TS_RESP_verify_response(context.get(), reply) != 1) {
        return Error{signature ? Errc::unauthenticated : Errc::corrupt,
                     "the timestamp is not good: " + openssl_reason()};
    }
    return {};
}

/// corrupt: no reply; unavailable: one that says no.
sdk::Status check_status(TS_RESP* reply) {
    if (reply == nullptr) {
        return Error{Errc::corrupt, "this is no reply of a timestamp authority (RFC 3161)"};
    }
    TS_STATUS_INFO* const status = TS_RESP_get_status_info(reply);
    const long code = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(status));
    if (code > TS_STATUS_GRANTED_WITH_MODS || TS_RESP_get_tst_info(reply) == nullptr) {
        return Error{Errc::unavailable, "the timestamp authority refused the request (status " +
                                            std::to_string(code) + ")"};
    }
    return {};
}

}  // namespace

TimestampRequest make_request(const Digest& digest) {
    std::uint64_t nonce = 0;
    archive::fill_random(std::as_writable_bytes(std::span(&nonce, 1)));
    const auto request = request_for(digest, nonce);
    unsigned char* der = nullptr;
    const int size = i2d_TS_REQ(request.get(), &der);
    require(size > 0);
    TimestampRequest made{
        .digest = digest,
        .query = std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size))};
    OPENSSL_free(der);
    return made;
}

Result<Timestamp> check_reply(std::string_view reply, const TimestampRequest& request,
                              const std::filesystem::path& ca_file) {
    const auto parsed = parse_reply(reply);
    OPENARCHIVER_CHECK(check_status(parsed.get()));
    const unsigned char* at = octets(request.query);
    const Owned<TS_REQ> asked(d2i_TS_REQ(nullptr, &at, static_cast<long>(request.query.size())));
    require(asked != nullptr);
    OPENARCHIVER_CHECK(verify(parsed.get(), asked.get(), false, ca_file, 0));
    OPENARCHIVER_CHECK(verify(parsed.get(), asked.get(), true, ca_file, 0));
    return timestamp_of(parsed.get());
}

Result<Timestamp> read_kept(std::string_view reply, const Digest& digest) {
    const auto parsed = parse_reply(reply);
    OPENARCHIVER_CHECK(check_status(parsed.get()));
    OPENARCHIVER_CHECK(verify(parsed.get(), request_for(digest, std::nullopt).get(), false, {}, 0));
    // Signed by the certificate that it brings, whoever vouches for that.
    const Owned<BIO> signed_text(BIO_new(BIO_s_mem()));
    if (PKCS7_verify(TS_RESP_get_token(parsed.get()), nullptr, nullptr, nullptr, signed_text.get(),
                     PKCS7_NOVERIFY | PKCS7_BINARY) != 1) {
        return Error{Errc::corrupt, "the timestamp is not good: " + openssl_reason()};
    }
    return timestamp_of(parsed.get());
}

Result<Timestamp> check_kept(std::string_view reply, const Digest& digest,
                             const std::filesystem::path& ca_file) {
    OPENARCHIVER_TRY(const Timestamp timestamp, read_kept(reply, digest));
    const auto parsed = parse_reply(reply);
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(timestamp.time.time_since_epoch());
    OPENARCHIVER_CHECK(verify(parsed.get(), request_for(digest, std::nullopt).get(), true, ca_file,
                              static_cast<std::time_t>(seconds.count())));
    return timestamp;
}

}  // namespace openarchiver::evidence
