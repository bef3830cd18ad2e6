// Just enough MIME reading to answer metadata and attachment requests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graph_simulator {

struct MimePart {
    std::string type;         // lower case, without parameters
    std::string name;         // file name, UTF-8
    std::string disposition;  // lower case
    std::string content_id;
    std::string encoding;   // lower case
    std::string_view body;  // still encoded

    std::string decoded() const;
    bool is_attachment() const;
};

struct MailHeader {
    std::string from_name;
    std::string from_address;
    std::string to;
    std::string subject;
    std::string message_id;
    std::string content_type;
};

MailHeader read_header(std::string_view mail);
// Every field, unfolded, in order.
std::vector<std::pair<std::string, std::string>> read_fields(std::string_view mail);
// The leaves; `mail` must outlive them.
std::vector<MimePart> read_parts(std::string_view mail);

}  // namespace graph_simulator
