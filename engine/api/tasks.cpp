#include "api/tasks.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "api/body.hpp"
#include "api/items.hpp"
#include "api/problem.hpp"
#include "api/zip.hpp"
#include "export/exporter.hpp"
#include "export/time_filter.hpp"
#include "search/search.hpp"
#include "verify/verify.hpp"

namespace openarchiver::api {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

Response started(const Result<std::string>& id) {
    if (!id) {
        return problem(id.error());
    }
    return {.status = 202, .body = json::serialize(json::object{{"id", *id}})};
}

Result<search::Request> search_of(const Body& body, const Credential& caller) {
    search::Request wanted{.query = body.text("q"),
                           .filter = {.sources = body.texts("sources"),
                                      .accounts = body.texts("accounts"),
                                      .folders = body.texts("folders"),
                                      .sender = body.text("sender")},
                           .recipient = body.text("recipient"),
                           .has_attachment = body.flag("has_attachment")};
    if (const std::string since = body.text("since"); !since.empty()) {
        OPENARCHIVER_TRY(wanted.filter.since, exporter::parse_time(since));
    }
    if (const std::string until = body.text("until"); !until.empty()) {
        OPENARCHIVER_TRY(wanted.filter.until, exporter::parse_time(until));
    }
    keep_to_own(wanted.filter.accounts, caller);
    return wanted;
}

/// What a search lets through, in the order in which exports take it.
Result<exporter::Found> found(const std::filesystem::path& folder, catalog::CatalogReader& catalog,
                              const search::Request& request, const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto search, search::Search::open(folder, catalog, request));
    exporter::Found result{.query = request.query,
                           .recipient = request.recipient,
                           .has_attachment = request.has_attachment};
    OPENARCHIVER_TRY(const auto versions, search->versions(stop));
    for (const auto& key : versions) {
        result.versions.emplace_back(key.item_key, key.version);
    }
    std::ranges::sort(result.versions);
    OPENARCHIVER_TRY(const auto coverage, search->coverage());
    result.unsearched.emplace_back("not_yet_indexed", coverage.not_yet_indexed);
    for (const auto& [reason, number] : coverage.gaps) {
        result.unsearched.emplace_back(search::to_string(reason), number);
    }
    return result;
}

Result<json::object> run_export(const access::Context& context, const search::Request& request,
                                exporter::Options options, const Jobs::Tell& tell,
                                const std::stop_token& stop) {
    const auto& folder = context.profile.archive.catalog_path;
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(folder));
    if (!request.query.empty() || !request.recipient.empty() || request.has_attachment) {
        OPENARCHIVER_TRY(options.found, found(folder, *catalog, request, stop));
    }
    options.filter = request.filter;
    OPENARCHIVER_TRY(const auto reader, access::ArchiveReader::open(context, stop));
    OPENARCHIVER_TRY(const auto summary,
                     exporter::run(
                         *reader, *catalog, options, context.clock,
                         [&](const exporter::Progress& progress) {
                             tell({{"versions", progress.versions}, {"bytes", progress.bytes}});
                         },
                         stop));
    json::object unsearched;
    if (options.found) {
        for (const auto& [reason, number] : options.found->unsearched) {
            unsearched[reason] = number;
        }
    }
    return json::object{{"items", summary.items},
                        {"versions", summary.versions},
                        {"bytes", summary.bytes},
                        {"exceptions", summary.exceptions.size()},
                        {"coverage", options.found ? json::value(std::move(unsearched)) : nullptr}};
}

Result<json::object> run_verify(const access::Context& context, bool quick, const Jobs::Tell& tell,
                                const std::stop_token& stop) {
    std::unique_ptr<access::ArchiveReader> reader;
    OPENARCHIVER_TRY(const auto report,
                     verify::run(
                         [&]() -> Result<archive::Archive*> {
                             OPENARCHIVER_TRY(reader, access::ArchiveReader::open(context, stop));
                             return &reader->archive();
                         },
                         {.quick = quick,
                          .part = {},
                          .kept_head = {},
                          .catalog_folder = context.profile.archive.catalog_path},
                         [&](const verify::Progress& progress) {
                             tell({{"segments", progress.segments},
                                   {"packs", progress.packs},
                                   {"packs_total", progress.packs_total},
                                   {"bytes", progress.bytes}});
                         },
                         stop));
    return json::parse(verify::to_json(report)).as_object();
}

}  // namespace

Response start_export(Jobs& jobs, service::Service& service, const Credential& caller,
                      const Request& request) {
    const auto body = Body::parse(request.body);
    if (!body) {
        return problem(400, body.error().message);
    }
    exporter::Options options;
    const std::string format = body->text("format");
    const auto formats = {exporter::Format::eml, exporter::Format::mbox, exporter::Format::maildir};
    const auto* const wanted = std::ranges::find_if(
        formats, [&](exporter::Format one) { return exporter::to_string(one) == format; });
    if (wanted == formats.end()) {
        return problem(422, "\"format\" is one of eml, mbox, maildir");
    }
    options.format = *wanted;
    auto search = search_of(*body, caller);
    if (!search) {
        return problem(search.error());
    }
    return started(jobs.start(
        "export", caller,
        [context = service.context(), search = std::move(*search), options = std::move(options)](
            const std::filesystem::path& folder, const Jobs::Tell& tell,
            const std::stop_token& stop) mutable -> Result<json::object> {
            std::error_code code;
            std::filesystem::create_directories(folder, code);
            std::filesystem::permissions(folder.parent_path(), std::filesystem::perms::owner_all,
                                         code);
            options.output = folder;
            return run_export(context, search, std::move(options), tell, stop);
        }));
}

Response start_verify(Jobs& jobs, service::Service& service, const Credential& caller,
                      const Request& request) {
    const auto body = Body::parse(request.body);
    if (!body) {
        return problem(400, body.error().message);
    }
    return started(jobs.start(
        "verify", caller,
        [context = service.context(), quick = body->flag("quick")](
            const std::filesystem::path&, const Jobs::Tell& tell, const std::stop_token& stop) {
            return run_verify(context, quick, tell, stop);
        }));
}

Response export_file(Jobs& jobs, const Credential& caller, const std::string& id) {
    const auto folder = jobs.files_of(id, caller);
    if (!folder) {
        return problem(404, "there is no export \"" + id + "\" that is done");
    }
    Response response{.content_type = "application/zip"};
    response.fields.emplace_back("Content-Disposition",
                                 "attachment; filename=\"export-" + id + ".zip\"");
    response.stream = [folder = *folder](sdk::ByteSink& sink, const std::stop_token& stop) {
        return write_zip(folder, sink, stop);
    };
    return response;
}

}  // namespace openarchiver::api
