#include "service/accept_failures.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;

std::string accept_options(const std::vector<std::string>& refs) {
    return json::serialize(json::object{{"accept", json::array(refs.begin(), refs.end())}});
}

sdk::Result<std::vector<std::string>> parse_accept_options(std::string_view json_text) {
    const Error wrong{.code = Errc::invalid_argument,
                      .message = "\"accept\" is no list of refs of failed items"};
    boost::system::error_code failure;
    const json::value options = json::parse({json_text.data(), json_text.size()}, failure);
    const json::object* const object = failure ? nullptr : options.if_object();
    const json::value* const list = object ? object->if_contains("accept") : nullptr;
    if (list == nullptr || !list->is_array() || list->get_array().empty()) {
        return wrong;
    }
    std::vector<std::string> refs;
    for (const json::value& ref : list->get_array()) {
        if (!ref.is_string()) {
            return wrong;
        }
        refs.emplace_back(std::string_view(ref.get_string()));
    }
    return refs;
}

sdk::Status accept_failures(const std::vector<std::string>& refs,
                            const access::ArchiveWriter& archive, pipeline::Committer& committer,
                            sdk::Clock& clock, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    OPENARCHIVER_TRY(const auto failures, catalog->failures());
    std::vector<const catalog::FailureRecord*> accepted;
    for (const std::string& ref : refs) {
        const auto found = std::ranges::find(failures, ref, &catalog::FailureRecord::ref);
        if (found == failures.end()) {
            return Error{.code = Errc::invalid_argument,
                         .message = "no failed item has the ref \"" + ref +
                                    "\"; `openarchiver failures` lists them"};
        }
        if (!found->accepted) {
            accepted.push_back(&*found);
        }
    }
    const auto now = sdk::timestamp_of(clock);
    for (const catalog::FailureRecord* const failure : accepted) {
        pipeline::Entry entry;
        entry.source = failure->source;
        entry.account = failure->account;
        entry.event = {now, catalog::FailureSettled{.item = failure->item.id, .accepted = true}};
        OPENARCHIVER_CHECK(committer.put(std::move(entry), stop));
    }
    return committer.flush(std::move(stop));
}

}  // namespace openarchiver::service
