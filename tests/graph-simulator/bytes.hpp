// Base64, digests and deterministic pseudo-random numbers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace graph_simulator {

std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes);  // without padding
// Strict: nothing for a character outside the alphabet or a wrong length.
std::optional<std::string> base64_decode(std::string_view text);
std::optional<std::string> base64url_decode(std::string_view text);
// As MIME readers do: skips what is not in the alphabet.
std::string base64_decode_lenient(std::string_view text);

std::string hex(std::string_view bytes);

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    void update(std::string_view bytes);
    std::string finish();  // 32 raw bytes
private:
    void* context_;
};

std::string sha256(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes);

// SplitMix64: small, fast and the same everywhere.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31U);
    }

    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

    double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

private:
    std::uint64_t state_;
};

std::uint64_t mix(std::uint64_t a, std::uint64_t b);
std::string guid_from(Random& random);
// For request ids: not from the seed, so that two runs do not share them.
std::string fresh_guid();

}  // namespace graph_simulator
