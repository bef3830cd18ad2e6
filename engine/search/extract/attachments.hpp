#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "search/extract/wire.hpp"

namespace openarchiver::search::extract {

/// Where the attachments of a message go.
class AttachmentSink {
public:
    AttachmentSink() = default;
    AttachmentSink(const AttachmentSink&) = delete;
    AttachmentSink& operator=(const AttachmentSink&) = delete;
    virtual ~AttachmentSink() = default;

    virtual void entry(const wire::Entry& entry) = 0;
    /// Some of the one that is taken.
    virtual void bytes(std::string_view some) = 0;
    /// There are more than are looked at.
    virtual void cut() = 0;
};

/// Tells what a message/rfc822 content, however broken, has attached; with `take` (from 1 on) that
/// one alone, and its bytes. An attached message is one, whatever is attached to it in turn.
void read_attachments(std::string message, std::uint32_t take, AttachmentSink& sink);

}  // namespace openarchiver::search::extract
