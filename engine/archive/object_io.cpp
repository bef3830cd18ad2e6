#include "archive/object_io.hpp"

#include <algorithm>
#include <utility>

#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

class TextSink final : public sdk::ByteSink {
public:
    TextSink(std::string_view key, std::uint64_t limit) : key_(key), limit_(limit) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        if (bytes.size() > limit_ - text_.size()) {
            return sdk::Error{.code = sdk::Errc::corrupt,
                              .message = "object " + std::string(key_) + " has more than " +
                                         std::to_string(limit_) +
                                         " bytes: it is not what the engine wrote"};
        }
        text_.append(wire::text_of(bytes));
        return {};
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string_view key_;
    std::uint64_t limit_;
    std::string text_;
};

}  // namespace

sdk::Result<std::size_t> TextSource::read(std::span<std::byte> buffer) {
    const std::string_view piece = text_.substr(position_, buffer.size());
    std::copy_n(wire::bytes_of(piece).begin(), piece.size(), buffer.begin());
    position_ += piece.size();
    return piece.size();
}

sdk::Status TextSource::rewind() {
    position_ = 0;
    return {};
}

sdk::Result<std::string> read_object(sdk::ObjectStore& store, std::string_view key,
                                     std::uint64_t limit, std::stop_token stop) {
    TextSink sink(key, limit);
    OPENARCHIVER_CHECK(store.get(key, sdk::Range{}, sink, std::move(stop)));
    return sink.take();
}

sdk::Status put_object(sdk::ObjectStore& store, std::string_view key, std::string_view text,
                       sdk::PutMode mode, std::stop_token stop) {
    TextSource source(text);
    return store.put(key, source, mode, std::move(stop));
}

}  // namespace openarchiver::archive
