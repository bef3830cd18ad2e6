#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>

#include "settings.hpp"
#include "unpacked.hpp"

namespace openarchiver::mailfiles {

/// Lets readpst (libpst) write the messages of an Outlook data file as `.eml` files, in folders as
/// they are there. What a PST keeps is no MIME: readpst puts each message together from its
/// properties. What it could not read is in the problems of `to`. corrupt: nothing could be read;
/// unsupported: there is no readpst.
sdk::Status unpack_pst(const FileDescriptor& file, const Settings& settings, Unpacked& to,
                       const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
