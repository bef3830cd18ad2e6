#include "service/archive_has_log.hpp"

#include <utility>

#include "access/open_store.hpp"
#include "archive/segment.hpp"

namespace openarchiver::service {

sdk::Result<bool> archive_has_log(const access::Context& context, std::stop_token stop) {
    class First final : public sdk::ObjectListSink {
    public:
        bool object(const sdk::ObjectInfo& info) override {
            found = archive::parse_segment_key(info.key).has_value();
            return !found;
        }

        bool found = false;
    };

    OPENARCHIVER_TRY(const auto open, access::open_store(context, access::Purpose::reading, stop));
    First first;
    OPENARCHIVER_CHECK(open.store->list("log/", "", first, std::move(stop)));
    return first.found;
}

}  // namespace openarchiver::service
