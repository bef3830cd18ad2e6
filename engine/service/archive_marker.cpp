#include "service/archive_marker.hpp"

#include <utility>

#include "access/open_store.hpp"

namespace openarchiver::service {

sdk::Result<archive::Archive::Marker> read_archive_marker(const access::Context& context,
                                                          std::stop_token stop) {
    OPENARCHIVER_TRY(const auto open, access::open_store(context, access::Purpose::reading, stop));
    return archive::Archive::read_marker(*open.store, std::move(stop));
}

}  // namespace openarchiver::service
