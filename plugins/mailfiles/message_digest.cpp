#include "message_digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "from_line.hpp"
#include "line_reader.hpp"

namespace openarchiver::mailfiles {

namespace {

/// Lower case, with the colon. Of Berkeley mail and its kin, UW IMAP and Dovecot, mutt, Mozilla.
constexpr std::array<std::string_view, 12> kVolatileFields = {
    "status:",           "x-status:",          "x-keywords:",     "x-uid:",
    "x-imap:",           "x-imapbase:",        "content-length:", "lines:",
    "x-mozilla-status:", "x-mozilla-status2:", "x-mozilla-keys:", "x-evolution:"};

constexpr std::string_view kReadpstBoundary = "boundary-LibPST-iamunique-";

bool is_volatile(std::string_view line) {
    return std::ranges::any_of(kVolatileFields, [&](std::string_view field) {
        return line.size() >= field.size() &&
               std::equal(field.begin(), field.end(), line.begin(), [](char wanted, char c) {
                   return wanted == std::tolower(static_cast<unsigned char>(c));
               });
    });
}

void check(int outcome) {
    if (outcome != 1) {
        throw std::runtime_error("OpenSSL can't make a SHA-256");
    }
}

}  // namespace

MessageDigest::MessageDigest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_) {
        throw std::bad_alloc();
    }
    check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

MessageDigest::~MessageDigest() = default;

void MessageDigest::add(std::string_view piece, bool begins_line) {
    if (in_header_ && begins_line) {
        if (without_line_end(piece).empty()) {
            in_header_ = false;
            leaving_out_ = false;
        } else if (piece.front() != ' ' && piece.front() != '\t') {
            leaving_out_ = is_volatile(piece);
        }
    }
    if (leaving_out_) {
        return;
    }
    while (true) {
        const std::size_t found = piece.find(kReadpstBoundary);
        if (found == std::string_view::npos) {
            break;
        }
        const std::size_t number = found + kReadpstBoundary.size();
        update(piece.substr(0, number));
        piece.remove_prefix(std::min(piece.find_first_not_of("0123456789", number), piece.size()));
    }
    update(piece);
}

void MessageDigest::update(std::string_view bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string MessageDigest::finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned int size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size));
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text += kDigits[bytes.at(i) >> 4U];
        text += kDigits[bytes.at(i) & 0xFU];
    }
    return text;
}

sdk::Result<std::string> digest_of(const FileDescriptor& file, std::uint64_t begin,
                                   std::uint64_t end, const std::stop_token& stop) {
    LineReader lines(file, begin, end);
    MessageDigest digest;
    while (true) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const auto piece, lines.next());
        if (!piece) {
            return digest.finish();
        }
        digest.add(piece->bytes, piece->begins_line);
    }
}

}  // namespace openarchiver::mailfiles
