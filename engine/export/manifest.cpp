#include "export/manifest.hpp"

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <openarchiver/sdk/abi.hpp>

#include "archive/digest.hpp"
#include "export/utf8.hpp"

namespace openarchiver::exporter {

namespace json = boost::json;

namespace {

json::string text(std::string_view value) {
    return json::string(valid_utf8(value));
}

json::value time_or_null(sdk::Timestamp time) {
    if (time == sdk::Timestamp{}) {
        return nullptr;
    }
    return json::string(iso_time(time));
}

json::array texts(const std::vector<std::string>& values) {
    json::array array;
    for (const auto& value : values) {
        array.emplace_back(text(value));
    }
    return array;
}

json::object filters_of(const Options& options) {
    const auto& filter = options.filter;
    json::object filters;
    filters["source"] = texts(filter.sources);
    filters["account"] = texts(filter.accounts);
    filters["folder"] = texts(filter.folders);
    filters["sender"] = text(filter.sender);
    filters["since"] = filter.since ? json::value(iso_time(*filter.since)) : json::value(nullptr);
    filters["until"] = filter.until ? json::value(iso_time(*filter.until)) : json::value(nullptr);
    filters["offset"] = options.offset;
    filters["limit"] = options.limit ? json::value(*options.limit) : json::value(nullptr);
    if (options.found) {
        filters["query"] = text(options.found->query);
        filters["recipient"] = text(options.found->recipient);
        filters["has_attachment"] = options.found->has_attachment;
    }
    return filters;
}

/// Parses an object, whatever is in the text; empty where it is none.
json::object parsed(std::string_view document) {
    boost::system::error_code error;
    const json::value value =
        json::parse(json::string_view(document.data(), document.size()), error);
    return !error && value.is_object() ? value.get_object() : json::object();
}

}  // namespace

std::string iso_time(sdk::Timestamp time) {
    using namespace std::chrono;
    const auto since_epoch = floor<seconds>(time);
    const auto millis = static_cast<int>((time - since_epoch).count());
    const auto day = floor<days>(since_epoch);
    const year_month_day date(day);
    const hh_mm_ss clock(since_epoch - day);
    std::array<char, 64> buffer{};
    int size = std::snprintf(
        buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    std::string result(buffer.data(), static_cast<std::size_t>(size));
    if (millis != 0) {
        size = std::snprintf(buffer.data(), buffer.size(), ".%03d", millis);
        result.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return result + "Z";
}

std::string manifest_line(const catalog::VersionRecord& version,
                          const std::vector<std::vector<std::string>>& folders,
                          std::string_view path) {
    // One line of many: its memory is taken and given back at once.
    std::array<unsigned char, 8192> memory;
    json::monotonic_resource resource(memory.data(), memory.size());
    json::array folder_paths(&resource);
    for (const auto& folder : folders) {
        folder_paths.emplace_back(texts(folder));
    }
    const bool in_mailbox = version.left_at == sdk::Timestamp{};
    json::object line(&resource);
    line.reserve(19);
    line["ref"] = text(version.ref);
    line["version"] = version.version;
    line["source"] = text(version.source);
    line["account"] = text(version.account);
    line["address"] = text(version.address);
    line["folders"] = std::move(folder_paths);
    line["item"] = text(version.item);
    line["internet_message_id"] = text(version.message_id);
    line["subject"] = text(version.subject);
    line["received_at"] = time_or_null(version.received_at);
    line["archived_at"] = time_or_null(version.archived_at);
    line["left_at"] = time_or_null(version.left_at);
    line["media_type"] = text(version.media_type);
    line["properties"] = parsed(version.properties);
    line["size"] = version.size;
    line["sha256"] = archive::to_hex(version.content);
    line["in_mailbox"] = in_mailbox;
    line["fidelity"] = version.fidelity == catalog::Fidelity::exact ? "exact" : "reconstructed";
    line["path"] = text(path);
    return json::serialize(line);
}

std::string manifest_path(std::string_view line) {
    const json::object object = parsed(line);
    const json::value* path = object.if_contains("path");
    return path != nullptr && path->is_string() ? std::string(path->get_string()) : std::string();
}

std::string identity_document(std::string_view archive_id, const Options& options) {
    json::object identity;
    identity["archive"] = text(archive_id);
    identity["format"] = text(to_string(options.format));
    identity["filters"] = filters_of(options);
    return json::serialize(identity);
}

std::string identity_of_export(std::string_view export_json) {
    const json::object document = parsed(export_json);
    const json::value* archive = document.if_contains("archive");
    const json::value* format = document.if_contains("format");
    const json::value* filters = document.if_contains("filters");
    if (archive == nullptr || !archive->is_object() || format == nullptr || filters == nullptr ||
        !archive->get_object().contains("id")) {
        return {};
    }
    json::object identity;
    identity["archive"] = archive->get_object().at("id");
    identity["format"] = *format;
    identity["filters"] = *filters;
    return json::serialize(identity);
}

std::string export_document(const ExportDocument& document, const Options& options,
                            const Summary& summary) {
    json::array exceptions;
    for (const auto& exception : summary.exceptions) {
        json::object object;
        object["ref"] = text(exception.ref);
        object["version"] = exception.version;
        object["source"] = text(exception.source);
        object["account"] = text(exception.account);
        object["code"] = text(sdk::to_string(exception.error.code));
        object["message"] = text(exception.error.message);
        exceptions.emplace_back(std::move(object));
    }
    json::object counts;
    counts["items"] = summary.items;
    counts["versions"] = summary.versions;
    counts["bytes"] = summary.bytes;
    counts["exceptions"] = summary.exceptions.size();
    json::array head;
    for (const auto& [writer, position] : document.head) {
        json::object entry;
        entry["writer"] = text(writer);
        entry["sequence"] = position.sequence;
        entry["sha256"] = archive::to_hex(position.digest);
        head.emplace_back(std::move(entry));
    }
    json::object archive;
    archive["id"] = text(document.archive_id);
    archive["head"] = std::move(head);
    json::object object;
    object["engine_version"] = OPENARCHIVER_SDK_VERSION;
    object["exported_at"] = iso_time(document.exported_at);
    object["format"] = text(to_string(options.format));
    object["filters"] = filters_of(options);
    object["counts"] = std::move(counts);
    object["exceptions"] = std::move(exceptions);
    object["archive"] = std::move(archive);
    if (options.found) {
        json::object coverage;
        for (const auto& [reason, number] : options.found->unsearched) {
            coverage[reason] = number;
        }
        object["coverage"] = std::move(coverage);
    }
    return json::serialize(object) + "\n";
}

}  // namespace openarchiver::exporter
