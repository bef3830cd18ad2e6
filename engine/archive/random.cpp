#include "archive/random.hpp"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

namespace openarchiver::archive {

void fill_random(std::span<std::byte> bytes) {
    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size())) != 1) {
        std::fputs("openarchiver: the system's random generator failed\n", stderr);
        std::abort();
    }
}

}  // namespace openarchiver::archive
