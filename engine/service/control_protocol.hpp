#pragma once

#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "service/control_client.hpp"
#include "service/person.hpp"

/// The messages on the control socket (docs/cli.md, Control socket).
namespace openarchiver::service {

/// The code of this name; `internal` where it is none.
[[nodiscard]] sdk::Errc errc_of(std::string_view name);

struct ControlRequest {
    std::string verb;
    /// A JSON object.
    std::string options = "{}";
    /// Who asks. Not part of the message: whoever takes it knows, the sender may say anything.
    Person person = {};
};

struct ControlProgress {
    std::string document;
};

[[nodiscard]] std::string encode(const ControlRequest& request);
[[nodiscard]] sdk::Result<ControlRequest> decode_request(std::string_view message);

[[nodiscard]] std::string encode(const ControlProgress& progress);
[[nodiscard]] std::string encode(const Answer& answer);
[[nodiscard]] sdk::Result<std::variant<ControlProgress, Answer>> decode_answer(
    std::string_view message);

}  // namespace openarchiver::service
