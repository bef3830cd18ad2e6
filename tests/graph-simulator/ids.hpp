// Exchange-like identifiers. They are made so that eight consecutive messages differ in letter
// case only: a client that folds case anywhere mixes up mail and is found out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace graph_simulator {

struct MessageRef {
    std::uint32_t number = 0;
    bool immutable = true;
    std::uint32_t folder = 0;  // of a mutable id
    std::uint32_t moves = 0;   // of a mutable id
};

// The ids of one mailbox. `awkward` puts '/' and '+' into message ids, which then need
// percent-encoding in a path.
class MailboxIds {
public:
    MailboxIds(std::string_view mailbox_guid, bool awkward);

    std::string folder(std::uint32_t number) const;
    std::string immutable(std::uint32_t number) const;
    std::string mutable_id(std::uint32_t number, std::uint32_t folder, std::uint32_t moves) const;

    std::optional<std::uint32_t> parse_folder(std::string_view id) const;
    std::optional<MessageRef> parse_message(std::string_view id) const;

private:
    std::string folder_prefix_;
    std::string immutable_prefix_;
    std::string mutable_prefix_;
};

}  // namespace graph_simulator
