#include "sample.hpp"

constexpr openarchiver::sdk::AbiStamp make_stamp() {
    auto stamp = openarchiver::sdk::make_abi_stamp();
    for (char& c : stamp.fingerprint) {
        c = '\x07';
    }
    return stamp;
}

SAMPLE_WITH_STAMP(make_stamp());
