#include "service/archive_marker.hpp"

#include <utility>

namespace openarchiver::service {

sdk::Result<archive::Archive::Marker> read_archive_marker(const access::Context& context,
                                                          std::stop_token stop) {
    OPENARCHIVER_TRY(const auto reader, access::StoreReader::open(context));
    return archive::Archive::read_marker(reader->store(), std::move(stop));
}

}  // namespace openarchiver::service
