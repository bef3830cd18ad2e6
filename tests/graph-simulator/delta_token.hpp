// The opaque state inside $skiptoken and $deltatoken: signed, so that an altered one is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace graph_simulator {

struct DeltaToken {
    enum Kind : std::uint8_t { Messages = 1, Folders = 2, Users = 3 };

    std::uint8_t kind = Messages;
    std::uint8_t initial = 1;      // first round: nothing removed is reported
    std::uint8_t after_empty = 0;  // the empty page has been sent
    std::uint8_t ordered = 0;      // $orderby=receivedDateTime desc, first round only
    std::uint8_t filter = 0;       // 0 none, 1 ge, 2 gt
    std::uint8_t change_type = 0;  // 0 all, 1 created, 2 updated, 3 deleted
    std::uint8_t link = 0;         // 1 next, 2 delta
    std::uint8_t unused = 0;
    std::uint32_t user = 0;
    std::uint32_t folder = 0;
    std::uint32_t generation = 0;
    std::uint32_t position = 0;
    std::uint32_t round_start = 0;
    std::uint32_t emitted = 0;
    std::uint32_t select = 0;  // index of the remembered $select
    std::uint32_t top = 0;
    std::int64_t filter_time = 0;
    std::int64_t last_received = 0;  // of an ordered walk
    std::uint32_t last_number = 0;
    std::uint32_t serial = 0;  // makes each link different
};

class DeltaTokens {
public:
    explicit DeltaTokens(std::string key) : key_(std::move(key)) {}

    std::string write(DeltaToken token);
    std::optional<DeltaToken> read(std::string_view text) const;

private:
    std::string key_;
    std::uint32_t serial_ = 0;
};

}  // namespace graph_simulator
