#include "bytes.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <random>
#include <stdexcept>

namespace graph_simulator {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, std::string_view alphabet, bool pad) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    const auto at = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
    };
    std::size_t i = 0;
    for (; i + 2 < bytes.size(); i += 3) {
        const std::uint32_t group = at(i) << 16U | at(i + 1) << 8U | at(i + 2);
        out.push_back(alphabet[group >> 18U]);
        out.push_back(alphabet[group >> 12U & 63U]);
        out.push_back(alphabet[group >> 6U & 63U]);
        out.push_back(alphabet[group & 63U]);
    }
    const std::size_t left = bytes.size() - i;
    if (left > 0) {
        const std::uint32_t group = at(i) << 16U | (left == 2 ? at(i + 1) << 8U : 0U);
        out.push_back(alphabet[group >> 18U]);
        out.push_back(alphabet[group >> 12U & 63U]);
        if (left == 2)
            out.push_back(alphabet[group >> 6U & 63U]);
        if (pad)
            out.append(3 - left, '=');
    }
    return out;
}

using Table = std::array<std::int8_t, 256>;

Table make_table(std::string_view alphabet) {
    Table table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}

std::optional<std::string> decode(std::string_view text, const Table& table, bool skip_others) {
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t group = 0;
    unsigned have = 0;
    for (const char c : text) {
        const int value = table[static_cast<unsigned char>(c)];
        if (value < 0) {
            if (skip_others)
                continue;
            return std::nullopt;
        }
        group = group << 6U | static_cast<std::uint32_t>(value);
        if (++have == 4) {
            out.push_back(static_cast<char>(group >> 16U & 255U));
            out.push_back(static_cast<char>(group >> 8U & 255U));
            out.push_back(static_cast<char>(group & 255U));
            group = 0;
            have = 0;
        }
    }
    if (have == 1 && !skip_others)
        return std::nullopt;
    if (have == 2)
        out.push_back(static_cast<char>(group >> 4U & 255U));
    if (have == 3) {
        out.push_back(static_cast<char>(group >> 10U & 255U));
        out.push_back(static_cast<char>(group >> 2U & 255U));
    }
    return out;
}

std::string_view without_padding(std::string_view text) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
    return text;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    return encode(bytes, kStandard, true);
}

std::string base64url_encode(std::string_view bytes) {
    return encode(bytes, kUrlSafe, false);
}

std::optional<std::string> base64_decode(std::string_view text) {
    static const Table table = make_table(kStandard);
    if (text.size() % 4 != 0)
        return std::nullopt;
    return decode(without_padding(text), table, false);
}

std::optional<std::string> base64url_decode(std::string_view text) {
    static const Table table = make_table(kUrlSafe);
    return decode(without_padding(text), table, false);
}

std::string base64_decode_lenient(std::string_view text) {
    static const Table table = make_table(kStandard);
    return decode(text, table, true).value_or(std::string());
}

std::string hex(std::string_view bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(kDigits[byte >> 4U]);
        out.push_back(kDigits[byte & 15U]);
    }
    return out;
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr ||
        EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) != 1) {
        throw std::runtime_error("SHA-256 is not available");
    }
}

Sha256::~Sha256() {
    EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256::update(std::string_view bytes) {
    EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size());
}

std::string Sha256::finish() {
    std::string out(32, '\0');
    EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_),
                       reinterpret_cast<unsigned char*>(out.data()), nullptr);
    return out;
}

std::string sha256(std::string_view bytes) {
    Sha256 digest;
    digest.update(bytes);
    return digest.finish();
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    std::string out(32, '\0');
    unsigned length = 32;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(out.data()), &length);
    return out;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    Random random(a ^ (b * 0xD6E8FEB86659FD93ULL + 0x2545F4914F6CDD1DULL));
    return random.next();
}

std::string guid_from(Random& random) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(36);
    std::uint64_t word = 0;
    for (int i = 0; i < 32; ++i) {
        if (i % 16 == 0)
            word = random.next();
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out.push_back('-');
        auto digit = static_cast<unsigned>(word & 15U);
        word >>= 4U;
        if (i == 12)
            digit = 4;
        if (i == 16)
            digit = 8U | (digit & 3U);
        out.push_back(kDigits[digit]);
    }
    return out;
}

std::string fresh_guid() {
    static Random random = [] {
        std::random_device device;
        return Random(static_cast<std::uint64_t>(device()) << 32U | device());
    }();
    return guid_from(random);
}

}  // namespace graph_simulator
