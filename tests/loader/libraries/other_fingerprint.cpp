#include "sample.hpp"

constexpr openarchiver::sdk::AbiStamp make_stamp() {
    auto stamp = openarchiver::sdk::make_abi_stamp();
    openarchiver::sdk::detail::copy_text(stamp.fingerprint, "libc++,debug,strange and longer");
    return stamp;
}

SAMPLE_WITH_STAMP(make_stamp());
