#pragma once

#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>
#include <string_view>

namespace openarchiver::archive {

/// A text in memory as the source of a put. The text outlives it.
class TextSource final : public sdk::ByteSource {
public:
    explicit TextSource(std::string_view text) : text_(text) {}

    [[nodiscard]] std::uint64_t size() const override { return text_.size(); }

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;
    sdk::Status rewind() override;

private:
    std::string_view text_;
    std::size_t position_ = 0;
};

/// The whole of a small object. corrupt when it is larger than `limit`.
[[nodiscard]] sdk::Result<std::string> read_object(sdk::ObjectStore& store, std::string_view key,
                                                   std::uint64_t limit, std::stop_token stop);

[[nodiscard]] sdk::Status put_object(sdk::ObjectStore& store, std::string_view key,
                                     std::string_view text, sdk::PutMode mode,
                                     std::stop_token stop);

}  // namespace openarchiver::archive
