#include "service/rebuild.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <cmath>

namespace openarchiver::service {

namespace {

namespace json = boost::json;

sdk::Result<std::string> document_of(const std::filesystem::path& catalog_folder,
                                     std::uint64_t segments, std::chrono::milliseconds duration) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(catalog_folder));
    OPENARCHIVER_TRY(const std::string archive_id, catalog->archive_id());
    OPENARCHIVER_TRY(const auto sources, catalog->sources());
    OPENARCHIVER_TRY(const catalog::Totals totals, catalog->totals());
    OPENARCHIVER_TRY(const std::string problem, catalog->history_problem());
    std::uint64_t accounts = 0;
    for (const catalog::SourceRecord& source : sources) {
        OPENARCHIVER_TRY(const auto of_source, catalog->accounts(source.id));
        accounts += of_source.size();
    }
    return json::serialize(json::object{
        {"archive", archive_id},
        {"segments", segments},
        {"sources", sources.size()},
        {"accounts", accounts},
        {"items", totals.items},
        {"versions", totals.versions},
        {"packs", totals.packs},
        {"problem", problem.empty() ? json::value() : json::value(json::string(problem))},
        {"seconds", std::round(static_cast<double>(duration.count()) / 100) / 10}});
}

}  // namespace

sdk::Result<Rebuilt> rebuild(const access::Context& context, access::LostKeys lost_keys,
                             const std::function<void(std::uint64_t segments)>& progress,
                             std::stop_token stop) {
    const auto started = context.clock.steady_now();
    std::uint64_t segments = 0;
    OPENARCHIVER_TRY(auto writer, access::ArchiveWriter::rebuild(
                                      context, lost_keys,
                                      [&](const archive::LogPosition&) { progress(++segments); },
                                      std::move(stop)));
    Rebuilt rebuilt{.writer = std::move(writer), .document = {}};
    const auto duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(context.clock.steady_now() - started);
    OPENARCHIVER_TRY(rebuilt.document,
                     document_of(rebuilt.writer->catalog_folder(), segments, duration));
    return rebuilt;
}

}  // namespace openarchiver::service
