#include "random_id.hpp"

#include <cstdint>
#include <random>

namespace openarchiver::microsoft365 {

std::string random_guid() {
    static constexpr char kHex[] = "0123456789abcdef";
    // Seeded once: asking the system for each request costs more than sending it does.
    thread_local std::mt19937 generator = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device(),
                           device(), device(), device(), device()};
        return std::mt19937(seed);
    }();
    std::string guid = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    std::uint32_t bits = 0;
    unsigned left = 0;
    for (char& c : guid) {
        if (c != 'x' && c != 'y') {
            continue;
        }
        if (left == 0) {
            bits = static_cast<std::uint32_t>(generator());
            left = 8;
        }
        const unsigned digit = bits & 15U;
        c = kHex[c == 'y' ? (digit & 3U) | 8U : digit];
        bits >>= 4U;
        --left;
    }
    return guid;
}

}  // namespace openarchiver::microsoft365
