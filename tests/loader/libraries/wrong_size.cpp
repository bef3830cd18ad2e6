#include "sample.hpp"

constexpr openarchiver::sdk::AbiStamp make_stamp() {
    auto stamp = openarchiver::sdk::make_abi_stamp();
    stamp.struct_size = 40;
    return stamp;
}

SAMPLE_WITH_STAMP(make_stamp());
