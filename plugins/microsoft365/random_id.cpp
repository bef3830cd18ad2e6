#include "random_id.hpp"

#include <cstdint>
#include <random>

namespace openarchiver::microsoft365 {

std::string random_guid() {
    static constexpr char kHex[] = "0123456789abcdef";
    std::random_device device;
    std::string guid = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    std::uint32_t bits = 0;
    unsigned left = 0;
    for (char& c : guid) {
        if (c != 'x' && c != 'y') {
            continue;
        }
        if (left == 0) {
            bits = device();
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
