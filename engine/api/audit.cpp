#include "api/audit.hpp"

#include <charconv>

#include "api/problem.hpp"
#include "export/time_filter.hpp"

namespace openarchiver::api {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::size_t kPage = 100;
constexpr std::size_t kLongestPage = 1000;

Result<std::string> page(service::Service& service, const Request& request) {
    catalog::AuditFilter filter{.by = request.value("by"),
                                .action = request.value("action"),
                                .object = request.value("object")};
    if (const std::string since = request.value("since"); !since.empty()) {
        OPENARCHIVER_TRY(filter.since, exporter::parse_time(since));
    }
    if (const std::string until = request.value("until"); !until.empty()) {
        OPENARCHIVER_TRY(filter.until, exporter::parse_time(until));
    }
    std::size_t limit = kPage;
    if (const std::string asked = request.value("limit"); !asked.empty()) {
        const auto [end, code] = std::from_chars(asked.data(), asked.data() + asked.size(), limit);
        if (code != std::errc{} || end != asked.data() + asked.size() || limit == 0 ||
            limit > kLongestPage) {
            return Error{Errc::invalid_argument, "\"limit\" is a number from 1 to 1000"};
        }
    }
    OPENARCHIVER_TRY(const auto catalog,
                     catalog::CatalogReader::open(service.context().profile.archive.catalog_path));
    return service::audit_document(*catalog, service.audit(), filter, request.value("after"),
                                   limit);
}

}  // namespace

Response audit_entries(service::Service& service, const Request& request) {
    auto document = page(service, request);
    return document ? Response{.body = std::move(*document)} : problem(document.error());
}

}  // namespace openarchiver::api
