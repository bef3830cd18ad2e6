#include "sample.hpp"

constexpr openarchiver::sdk::AbiStamp make_stamp() {
    auto stamp = openarchiver::sdk::make_abi_stamp();
    stamp.pointer_bits = 32;
    return stamp;
}

SAMPLE_WITH_STAMP(make_stamp());
