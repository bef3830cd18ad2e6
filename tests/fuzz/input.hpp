#pragma once

#include <cstdio>
#include <cstdlib>
#include <openarchiver/sdk/bytes.hpp>
#include <span>
#include <string>

#include "search/extract/mail.hpp"

namespace openarchiver::fuzz {

/// Ends the process where something is not as it has to be: the fuzzer keeps the input.
inline void expect(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "not so: %s\n", what);
        std::abort();
    }
}

class ToString final : public sdk::ByteSink {
public:
    sdk::Status write(std::span<const std::byte> bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }

    std::string text;
};

/// Takes texts as the extractor does: a field is full once it has its share.
class Texts final : public search::extract::MailSink {
public:
    void text(search::Field field, std::string_view text) override {
        document[field] += text.substr(0, search::kMaxBody);
    }

    void gap(search::GapReason reason, std::string_view name) override {
        document.gaps.push_back({reason, std::string(name)});
    }

    [[nodiscard]] bool full(search::Field field) const override {
        return document[field].size() >= search::kMaxBody;
    }

    void message_id(std::string_view id) override { document.message_id = id; }

    void reference(std::string_view id) override { document.references.emplace_back(id); }

    void has_attachment() override { document.has_attachment = true; }

    void attachment(std::uint32_t, std::string_view) override {}

    std::string part(std::uint32_t) override { return {}; }

    search::Document document;
};

}  // namespace openarchiver::fuzz
