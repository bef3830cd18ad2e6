#include "archive/part_key.hpp"

#include <algorithm>

#include "archive/random.hpp"

namespace openarchiver::archive {

namespace {

// One account key and one part's id give a key that never seals anything but that part's key: a
// fixed nonce does no harm.
constexpr Nonce kNonce{};

Sealer& sealer() {
    thread_local Sealer one;
    return one;
}

}  // namespace

AccountKey new_part_key(bool encrypted) {
    AccountKey part{.id = random_bytes<16>(), .key = {}};
    if (encrypted) {
        part.key = random_bytes<32>();
    }
    return part;
}

WrappedKey wrap_part_key(const AccountKey& account, const AccountKey& part) {
    WrappedKey wrapped{};
    if (account.key && part.key) {
        const std::span<std::byte> bytes(wrapped);
        std::copy(part.key->begin(), part.key->end(), wrapped.begin());
        sealer().seal({*account.key, kPartPurpose, part.id, kNonce}, {}, bytes.first(32),
                      bytes.last<kTagSize>());
    }
    return wrapped;
}

sdk::Result<AccountKey> unwrap_part_key(const AccountKey& account, const KeyId& part,
                                        const WrappedKey& wrapped) {
    AccountKey key{.id = part, .key = {}};
    if (account.key) {
        WrappedKey opened = wrapped;
        const std::span<std::byte> bytes(opened);
        if (!sealer().open({*account.key, kPartPurpose, part, kNonce}, {}, bytes.first(32),
                           bytes.last<kTagSize>())) {
            return sdk::Error{.code = sdk::Errc::corrupt,
                              .message = "the key of a part does not open with its account's key"};
        }
        key.key.emplace();
        std::copy_n(opened.begin(), key.key->size(), key.key->begin());
        wipe(bytes);
    }
    return key;
}

}  // namespace openarchiver::archive
