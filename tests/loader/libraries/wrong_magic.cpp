#include "sample.hpp"

constexpr openarchiver::sdk::AbiStamp make_stamp() {
    auto stamp = openarchiver::sdk::make_abi_stamp();
    stamp.magic = 0x1122334455667788;
    return stamp;
}

SAMPLE_WITH_STAMP(make_stamp());
