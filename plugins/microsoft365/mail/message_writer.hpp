#pragma once

#include <string>
#include <string_view>

#include "mail/message_document.hpp"

/// Writes a message (RFC 5322, MIME) from what Graph tells of it. The same input gives the same
/// bytes.
namespace openarchiver::microsoft365 {

/// The header fields of the message but those that describe its body, each ending with CRLF.
/// `why` is the code with which the service refused the exact bytes.
std::string write_message_headers(const MessageDocument& message, std::string_view why);

/// The header fields of a body part and the empty line after them.
std::string write_text_part_headers(bool html);
std::string write_attachment_headers(const AttachmentEntry& attachment);
/// A whole body part in place of an attachment that can't be had.
std::string write_missing_attachment(const AttachmentEntry& attachment, std::string_view code);

/// Base64 in lines of 76 characters, CRLF after each. What does not fill a line is kept for the
/// next call; `last` writes it out.
class Base64Lines {
public:
    std::string encode(std::string_view bytes, bool last);

private:
    std::string rest_;
};

}  // namespace openarchiver::microsoft365
