// object-writer BACKEND CONFIG SEED: puts objects into the archive until it is killed. Each object
// tells its size in its key, and all its bytes are the same.
#include <cstdlib>
#include <iostream>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <random>
#include <string>

#include "plugin_library.hpp"

using namespace openarchiver;

int main(int argc, char** argv) {
    if (argc != 4) {
        return 2;
    }
    testkit::HostFixture host;
    const auto store =
        tests::built_plugin(argv[1]).storage_backend()->open(argv[2], host.services(), {});
    if (!store) {
        std::cerr << store.error().message << std::endl;
        return 1;
    }
    std::minstd_rand random(static_cast<unsigned>(std::atoi(argv[3])));
    for (unsigned number = 0;; ++number) {
        const std::size_t size = random() % 3'000'000;
        const auto value = static_cast<std::byte>(size % 251);
        testkit::MemorySource source(testkit::Bytes(size, value));
        // Every third goes to one key of its size class, by replacement.
        const bool replace = number % 3 == 0;
        const std::string key = replace ? "replaced/" + std::to_string(number % 2)
                                        : "created/" + std::string(argv[3]) + "/" +
                                              std::to_string(number) + "-" + std::to_string(size);
        const auto stored = (*store)->put(
            key, source, replace ? sdk::PutMode::replace : sdk::PutMode::if_absent, {});
        if (!stored) {
            std::cerr << stored.error().message << std::endl;
            return 1;
        }
        std::cout << key << std::endl;  // acknowledged: it has to be there from now on
    }
}
