#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "search/extract/text_sink.hpp"
#include "search/extract/wire.hpp"

namespace openarchiver::search::extract {

/// What becomes of a message.
class MailSink : public TextSink {
public:
    virtual void message_id(std::string_view id) = 0;
    virtual void reference(std::string_view id) = 0;
    virtual void has_attachment() = 0;
    /// The attachment that is read from now on.
    virtual void attachment(std::uint32_t number, std::string_view name) = 0;
    /// The bytes of a part that the message has a mark of.
    virtual std::string part(std::uint32_t index) = 0;
};

/// Reads a message/rfc822 content, however broken. Takes the bytes.
void read_mail(std::string message, const wire::Request& request, MailSink& sink);

}  // namespace openarchiver::search::extract
